"""What a job of this kind needs to call its service: ``jobServiceInfo`` and its companions, as one frozen value.

Stored as JSON in ``Job.arguments`` under the wire's own names. Credentials are encrypted there, as
``{"encrypted": "…"}``, and shown as asterisks everywhere else; a client that sends the asterisks back keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from scheduler.strict_json import UnreadableJson, dumps, read_storable
from voltmx.reading import Problems, Reader
from voltmx.secret import MASK, Secret, is_credential

EXECUTION_TYPE = "SERVER_URL"
NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]+")
NAME_MEANING = "may hold letters, digits, '_', '-' and '.' only, and must not be '.' or '..'"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]{0,4096}")
# The connection's own: a job that set them could desynchronise it, or make the server believe in another host.
_OWN_HEADERS = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding"),
        *("proxy-authenticate", "proxy-authorization", "proxy-connection", "upgrade"),
    )
)
_ORDERED = ("requestheaderMap", "queryParams")
_MAX_HEADERS = 50
_MAX_PARAMETERS = 100
_MAX_RECIPIENTS = 20
_MAX_INFO = 16_384

Scalar = str | int | float | bool


def concurrency_key(service_name: str) -> str:
    """Return the key under which calls of a service, of whatever version, count against its limit."""
    return f"voltmx:{service_name}"[:255]


class ServiceType(StrEnum):
    """The kinds of services, by their wire names."""

    INTEGRATION = "intSer"
    OBJECT = "objSer"
    ORCHESTRATION = "orchSer"


class SecurityLevel(Enum):
    """Who may call an operation."""

    PUBLIC = "public"
    ANONYMOUS = "anonymous"
    AUTHENTICATED = "authenticated"


# The reference prints "public" alone; the console's labels are taken in any case and spacing.
_LEVELS = {
    "public": SecurityLevel.PUBLIC,
    "anonymous": SecurityLevel.ANONYMOUS,
    "anonymousappuser": SecurityLevel.ANONYMOUS,
    "authenticated": SecurityLevel.AUTHENTICATED,
    "authenticatedappuser": SecurityLevel.AUTHENTICATED,
}


def level_of(text: str) -> SecurityLevel | None:
    """Return the level that a wire text names, None for an unknown one."""
    return _LEVELS.get(re.sub(r"[\s_-]", "", text).lower())


@dataclass(frozen=True, kw_only=True)
class Authentication:
    """The identity a job calls its service with: an app user's (``APP_USER``) or an account's (``ADMIN``)."""

    type: str = "APP_USER"
    app_key: str = ""
    app_secret: Secret | None = None
    identity: str = ""
    username: str = ""
    password: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """One service call. ``post_data`` is JSON text; ``security_level`` is the level as sent."""

    service_type: ServiceType
    service_name: str
    operation_name: str
    version: str = "1.0"
    object_name: str = ""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    post_data: str = "{}"
    security_level: str = "public"
    query_params: Mapping[str, Scalar | Secret] = field(default_factory=dict)
    success_criteria: str = ""
    authentication: Authentication | None = None
    mail_on_failure: tuple[str, ...] = ()
    frequency_info: Mapping[str, Any] | None = None

    @property
    def level(self) -> SecurityLevel:
        """The security level of the operation."""
        return level_of(self.security_level) or SecurityLevel.PUBLIC

    @property
    def sends_json(self) -> bool:
        """Whether the body goes as JSON: always to objects, else where the job's headers say so."""
        types = [str(value) for name, value in self.headers.items() if name.lower() == "content-type"]
        return self.service_type is ServiceType.OBJECT or any(
            text.split(";")[0].strip().lower() == "application/json" for text in types
        )

    @property
    def concurrency_key(self) -> str:
        """What the jobs of one service have in common, for its concurrency limit."""
        return concurrency_key(self.service_name)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Arguments:
        """Return the arguments kept in ``Job.arguments``. Raises ``Problems`` where somebody edited them badly."""
        return read(_opened(stored))

    def stored(self) -> dict[str, Any]:
        """Return the arguments as JSON for ``Job.arguments``, credentials encrypted.

        PostgreSQL's jsonb forgets the order of members, and clients are to get back what they sent: the order of their
        maps is kept beside them, and ``jobFrequencyInfo`` as text.
        """
        whole = self._json(lambda secret: {"encrypted": secret.encrypted})
        order = {name: list(whole["jobServiceInfo"].get(name, ())) for name in _ORDERED}
        if any(len(names) > 1 for names in order.values()):
            whole["memberOrder"] = order
        if "jobFrequencyInfo" in whole:
            whole["jobFrequencyInfo"] = dumps(whole["jobFrequencyInfo"])
        return whole

    def masked(self) -> dict[str, Any]:
        """Return the arguments as the wire has them, credentials as asterisks."""
        return self._json(str)

    def service_info(self) -> dict[str, Any]:
        """Return ``jobServiceInfo`` as the wire shows it: the reference's members in its order, then what was added."""
        info: dict[str, Any] = self.masked()["jobServiceInfo"]
        return info

    def secrets(self) -> list[Secret]:
        """Return every credential among the arguments."""
        login = self.authentication
        values = [*self.headers.values(), *self.query_params.values()]
        if login is not None:
            values += [value for value in (login.app_secret, login.password) if value is not None]
        return [value for value in values if isinstance(value, Secret)]

    def _json(self, shown: Any) -> dict[str, Any]:
        def plain(values: Mapping[str, Any]) -> dict[str, Any]:
            return {name: shown(item) if isinstance(item, Secret) else item for name, item in values.items()}

        info: dict[str, Any] = {
            "version": self.version,
            "serviceType": self.service_type.value,
            "serviceName": self.service_name,
            "objectName": self.object_name,
            "operationName": self.operation_name,
            "requestheaderMap": plain(self.headers),
            "serviceExecutionType": EXECUTION_TYPE,
            "postData": self.post_data,
            "operationSecurityLevel": self.security_level,
        }
        if self.query_params:
            info["queryParams"] = plain(self.query_params)
        if self.success_criteria:
            info["successCriteria"] = self.success_criteria
        if self.authentication is not None:
            given = {_WIRE[item.name]: getattr(self.authentication, item.name) for item in fields(Authentication)}
            info["authentication"] = plain({name: value for name, value in given.items() if value})
        whole: dict[str, Any] = {"jobServiceInfo": info}
        if self.mail_on_failure:
            whole["emailNotifications"] = {"onFailure": list(self.mail_on_failure)}
        if self.frequency_info is not None:
            whole["jobFrequencyInfo"] = dict(self.frequency_info)
        return whole


_WIRE = {
    "type": "type",
    "app_key": "appKey",
    "app_secret": "appSecret",
    "identity": "identity",
    "username": "username",
    "password": "password",
}


def read(wire: Mapping[str, Any], *, kept: Arguments | None = None) -> Arguments:
    """Return the arguments that ``jobServiceInfo``, ``emailNotifications`` and ``jobFrequencyInfo`` of ``wire`` say.

    Credentials may be text, or ``Secret``; asterisks stand for the one that ``kept`` has in that place.
    Raises ``Problems`` with every one found.
    """
    problems = Problems()
    top = Reader(wire, problems)
    info = Reader(top.mapping("jobServiceInfo", needed=True) or {}, problems, path="jobServiceInfo")
    if problems.by_field:
        raise problems
    kind = info.choice("serviceType", [item.value for item in ServiceType])
    is_object = kind == ServiceType.OBJECT.value
    name = {"low": 1, "high": 255, "pattern": NAME, "meaning": NAME_MEANING}
    version = info.text("version", default="1.0", low=1, high=64, pattern=NAME, meaning=NAME_MEANING)
    service_name = info.text("serviceName", **name)  # type: ignore[arg-type]
    if is_object:
        object_name = info.text("objectName", **name)  # type: ignore[arg-type]
    else:
        object_name = ""
        info.text("objectName", default="")
    operation_name = info.text("operationName", **name)  # type: ignore[arg-type]
    info.choice("serviceExecutionType", [EXECUTION_TYPE])
    headers = _headers(info, kept)
    post_data = _post_data(info)
    level = info.text("operationSecurityLevel", default="public")
    if level and level_of(level) is None:
        info.refuse("operationSecurityLevel", "must be public, anonymous or authenticated")
    parameters = _parameters(info, kept)
    criteria = info.text("successCriteria", default="", high=4096)
    login = _authentication(info, kept)
    mails = _recipients(top)
    frequency_info = top.mapping("jobFrequencyInfo")
    if frequency_info is not None and len(dumps(frequency_info)) > _MAX_INFO:
        top.refuse("jobFrequencyInfo", f"has more than {_MAX_INFO} characters")
    problems.raise_any()
    arguments = Arguments(
        service_type=ServiceType(kind),
        service_name=service_name,
        operation_name=operation_name,
        version=version,
        object_name=object_name,
        headers=headers,
        post_data=post_data,
        security_level=level,
        query_params=parameters,
        success_criteria=criteria,
        authentication=login,
        mail_on_failure=mails,
        frequency_info=frequency_info,
    )
    if not arguments.sends_json and not isinstance(read_storable(post_data or "{}"), dict):
        info.refuse("postData", "must be a JSON object where it is sent as form fields")
    problems.raise_any()
    return arguments


def _headers(info: Reader, kept: Arguments | None) -> dict[str, str | Secret]:
    given = info.mapping("requestheaderMap") or {}
    if len(given) > _MAX_HEADERS:
        info.refuse("requestheaderMap", f"has more than {_MAX_HEADERS} headers")
        return {}
    headers: dict[str, str | Secret] = {}
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name):
            info.refuse("requestheaderMap", "a header name may hold letters, digits and !#$%&'*+.^_`|~- only")
        elif name.lower() in _OWN_HEADERS:
            info.refuse("requestheaderMap", f"the header {name} cannot be set")
        elif isinstance(value, Secret):
            headers[name] = value
        elif not isinstance(value, str):
            info.refuse("requestheaderMap", f"the value of {name} must be a string")
        elif not _HEADER_VALUE.fullmatch(value):
            info.refuse("requestheaderMap", f"the value of {name} must be one line of at most 4096 Latin-1 characters")
        else:
            headers[name] = _credential(info, "requestheaderMap", name, value, kept.headers if kept else {})
    return headers


def _parameters(info: Reader, kept: Arguments | None) -> dict[str, Scalar | Secret]:
    given = info.mapping("queryParams") or {}
    if len(given) > _MAX_PARAMETERS:
        info.refuse("queryParams", f"has more than {_MAX_PARAMETERS} parameters")
        return {}
    parameters: dict[str, Scalar | Secret] = {}
    for name, value in given.items():
        if not name or len(name) > 255:
            info.refuse("queryParams", "a parameter's name must have from 1 to 255 characters")
        elif isinstance(value, str):
            parameters[name] = _credential(info, "queryParams", name, value, kept.query_params if kept else {})
        elif isinstance(value, (Secret, int, float, bool)):
            parameters[name] = value
        else:
            info.refuse("queryParams", "a parameter's value must be a string, a number or a boolean")
    return parameters


def _credential(info: Reader, field_name: str, name: str, value: str, kept: Mapping[str, Any]) -> str | Secret:
    """Return a named value as it is to be stored: encrypted where it is a credential, the kept one for asterisks."""
    if not is_credential(name):
        return value
    if value != MASK:
        return Secret.of(value)
    before = kept.get(name)
    if not isinstance(before, Secret):
        info.refuse(field_name, f"{name}: asterisks stand for a stored value, and none is stored")
        return ""
    return before


def _post_data(info: Reader) -> str:
    """Return ``postData`` as JSON text: a string as it was sent, anything else written out."""
    value = info.raw("postData")
    if value is None or value == "":
        return "{}" if value is None else value
    if isinstance(value, dict):
        return dumps(value)
    if not isinstance(value, str):
        info.refuse("postData", "must be a JSON string or an object")
        return ""
    try:
        read_storable(value)
    except UnreadableJson as error:
        info.refuse("postData", f"must hold JSON: {error.problem}")
        return ""
    return value


def _authentication(info: Reader, kept: Arguments | None) -> Authentication | None:
    given = info.mapping("authentication")
    if given is None:
        return None
    login = Reader(given, info.problems, path="jobServiceInfo.authentication")
    before = (kept.authentication if kept else None) or Authentication()

    def secret(name: str, stored: Secret | None) -> Secret | None:
        value = login.raw(name)
        if isinstance(value, Secret):
            return value
        plain = login.text(name, default="", high=4096)
        if plain != MASK:
            return Secret.of(plain) if plain else None
        if stored is None:
            login.refuse(name, "asterisks stand for a stored value, and none is stored")
        return stored

    def line(name: str) -> str:
        return login.text(name, default="", pattern=_HEADER_VALUE, meaning="must be one line of Latin-1 characters")

    return Authentication(
        type=login.choice("type", ["ADMIN", "APP_USER"], default="APP_USER"),
        app_key=line("appKey"),
        app_secret=secret("appSecret", before.app_secret),
        identity=login.text("identity", default=""),
        username=login.text("username", default=""),
        password=secret("password", before.password),
    )


def _recipients(top: Reader) -> tuple[str, ...]:
    given = top.mapping("emailNotifications")
    addresses = None if given is None else given.get("onFailure")
    if addresses is None:
        return ()
    if not isinstance(addresses, list) or len(addresses) > _MAX_RECIPIENTS:
        top.refuse("emailNotifications.onFailure", f"must be a list of at most {_MAX_RECIPIENTS} e-mail addresses")
        return ()
    for address in addresses:
        try:
            if not isinstance(address, str):
                raise ValidationError("no text")
            validate_email(address)
        except ValidationError:
            top.refuse("emailNotifications.onFailure", "holds something that is not an e-mail address")
            return ()
    return tuple(addresses)


def _opened(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored arguments as ``read`` takes them: members in their order, encrypted credentials as ``Secret``."""
    whole = dict(stored)
    info, order = whole.get("jobServiceInfo"), whole.pop("memberOrder", None)
    if isinstance(info, Mapping):
        opened = dict(info)
        for name in (*_ORDERED, "authentication"):
            if isinstance(opened.get(name), Mapping):
                members = _in_order(opened[name], order.get(name) if isinstance(order, Mapping) else None)
                opened[name] = {member: _decrypted(value) for member, value in members.items()}
        whole["jobServiceInfo"] = opened
    if isinstance(text := whole.get("jobFrequencyInfo"), str):
        with suppress(UnreadableJson):
            whole["jobFrequencyInfo"] = read_storable(text)
    return whole


def _in_order(members: Mapping[str, Any], order: Any) -> Mapping[str, Any]:
    """Return members in a stored order; those it does not name come last."""
    if not isinstance(order, list):
        return members
    named = {name: members[name] for name in order if isinstance(name, str) and name in members}
    return {**named, **members}


def _decrypted(value: Any) -> Any:
    """Return a stored value, an encrypted one as a ``Secret``."""
    if isinstance(value, Mapping) and value.keys() == {"encrypted"} and isinstance(value["encrypted"], str):
        return Secret(value["encrypted"])
    return value
