"""The OpenAPI document: drf-spectacular walks the addresses, each surface's ``schema`` package describes what is there.

The views answer in their vendors' shapes, which no serializer of ours says; so a surface states its operations and
components as OpenAPI itself. An address without a statement, or a statement without an address, is a warning of the
generator, which the checks treat as an error. Importing this module registers the logins with drf-spectacular.
"""

import re
import threading
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from drf_spectacular.drainage import error
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

SURFACES = ("voltmx.schema", "zementis.schema")
Endpoint = tuple[str, str, str, Any]

_GROUP = re.compile(r"\(\?P<(\w+)>[^()]*\)")
_OPTIONAL = re.compile(r"\(\?:([^()|]*)\)\?")
# A slash that may be missing in front of a parameter: both forms are addresses of their own.
_LOOSE_SLASH = re.compile(r"/\?(?=\(\?P<)")


_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API token, made in the admin for this surface or for any.",
}


class DocumentGenerator(SchemaGenerator):
    """Makes the document once a process, whoever asks.

    drf-spectacular loads its extensions at the first document, and two threads that do it at once crash; besides, a
    document takes most of a second. It is the same for everybody, and for every ``version`` and ``lang`` asked for.
    """

    _making = threading.Lock()
    _made: dict[str, Any] | None = None

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        """Return the document, which nobody may change."""
        with DocumentGenerator._making:
            if DocumentGenerator._made is None:
                self.api_version = None
                DocumentGenerator._made = super().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
            return DocumentGenerator._made


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """API tokens, where an address belongs to no surface."""

    target_class = "jobsite.bearer.BearerAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return _BEARER


class ClaimsTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The Volt MX login: a claims token, sent bare, under either of two names; or an API token."""

    target_class = "voltmx.authentication.ClaimsAuthentication"
    name = ["claimsToken", "claimsTokenKony", "voltmxApiToken"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        return [
            {
                "type": "apiKey",
                "in": "header",
                "name": header,
                "description": "The claims token that /authService/accounts/login answers with, sent bare.",
            }
            for header in ("X-VoltMX-Authorization", "X-Kony-Authorization")
        ] + [_BEARER]


class PlatformBasicScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The Cumulocity login: Basic, with or without a tenant in front of the user; or an API token."""

    target_class = "zementis.authentication.CumulocityAuthentication"
    name = ["platformBasic", "zementisApiToken"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        basic = {"type": "http", "scheme": "basic", "description": "user:password or tenant/user:password."}
        return [basic, _BEARER]


class SurfaceSchema(AutoSchema):
    """Describes an operation as its surface states it; what belongs to no surface is described from its view."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        """Return the operation, with the logins that its view takes. A surface's operation must have been stated."""
        stated = _operations().get((path, method.lower()))
        if stated is None:
            if self.view.__module__.startswith(("voltmx.", "zementis.")):
                error(f"{method.upper()} {path} is stated in none of {', '.join(SURFACES)}.")
                return None
            found: dict[str, Any] | None = super().get_operation(path, path_regex, path_prefix, method, registry)
            return found
        self.registry = registry
        return {**stated, "security": stated["security"] if "security" in stated else self.get_auth()}


def expand_paths(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Return the endpoints of the surfaces under the paths that people write (drf-spectacular's preprocessing hook).

    The closing slash, which is always taken and never needed, is left out; a part that may be missing elsewhere makes
    two paths; parameters get the references' names.
    """
    expanded: list[Endpoint] = []
    for path, regex, method, callback in endpoints:
        module = callback.cls.__module__
        renamed = _renamed(module)
        if renamed is None:
            expanded.append(
                (path.removesuffix("/") if module.startswith("jobsite.") else path, regex, method, callback)
            )
            continue
        expanded += [(found, regex, method, callback) for found in paths_of(regex, renamed)]
    return expanded


def paths_of(regex: str, renamed: Mapping[str, str]) -> list[str]:
    """Return the paths that an address's regular expression stands for."""
    regex = re.sub(r"/?\??(\$|\\Z)$", "", regex.replace("^", ""))
    forms = [regex]
    if _OPTIONAL.search(regex):
        forms = [_OPTIONAL.sub("", regex), _OPTIONAL.sub(r"\1", regex)]
    elif _LOOSE_SLASH.search(regex):
        forms = [_LOOSE_SLASH.sub("", regex), _LOOSE_SLASH.sub("/", regex)]
    return ["/" + _GROUP.sub(lambda found: f"{{{renamed.get(found[1], found[1])}}}", form) for form in forms]


def add_components(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Return the document with the surfaces' components and tags (drf-spectacular's postprocessing hook)."""
    paths = result["paths"]
    for path, method in _operations():
        if method not in paths.get(path, {}):
            error(f"{method.upper()} {path} is stated, but there is no such address.")
    components = result.setdefault("components", {})
    tags: list[Any] = []
    for surface in _surfaces():
        tags += surface.TAGS
        for section, entries in surface.COMPONENTS.items():
            components[section] = dict(sorted({**components.get(section, {}), **entries}.items()))
    result["components"] = dict(sorted(components.items()))
    result["tags"] = [*tags, {"name": "Schedules", "description": "What belongs to neither vendor."}]
    return result


def _surfaces() -> list[ModuleType]:
    return [import_module(name) for name in SURFACES]


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {key: stated for surface in _surfaces() for key, stated in surface.OPERATIONS.items()}


def _renamed(module: str) -> Mapping[str, str] | None:
    """Return wire names of the path parameters of a surface's views; None for views of no surface."""
    for surface in _surfaces():
        if module.startswith(f"{surface.__name__.partition('.')[0]}."):
            names: Mapping[str, str] = surface.PATH_PARAMETERS
            return names
    return None
