"""Who asks, and for what: accounts of every role with all their credentials, and the ids of what is there."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Q
from django.utils import timezone

from accounts import roles
from accounts import tokens as api_tokens
from accounts.models import ApiToken
from accounts.roles import Role
from scheduler import jobs
from scheduler.models import Execution, Job
from scheduler.schedule import Schedule
from voltmx import tokens as claims
from voltmx.models import AccountSession
from zementis.models import ManagedObject, Measurement, ScoringModel

ROOT, NOBODY, STRANGER = "root", "nobody", "stranger"
ROLES = tuple(role.value for role in Role)
PREFIX = "fuzz-"
_PASSWORD = "correct horse battery"
# A request in so many has the credentials of each; those who may do most, most often.
WEIGHTS = {ROOT: 24, "administrator": 8, "editor": 6, "operator": 4, "viewer": 4, NOBODY: 1, STRANGER: 1}
CSRF = "a" * 32
_MOST = 40


def populate(seed: int) -> None:
    """Make accounts, and jobs that fire while the requests come, beside the demo's data."""
    from django.core.management import call_command

    call_command("load_demo", verbosity=0, stdout=_Silent())
    chance = random.Random(f"fuzz {seed}")
    for number, overlap in enumerate(("skip", "allow", "queue", "replace") * 3):
        jobs.create(
            "chaos",
            jobs.Definition(
                name=f"job {number}",
                schedule=Schedule(chance.choice(("* * * * * ?", "0/2 * * * * ?", "1/3 * * * * ?")), "Europe/Berlin"),
                overlap=overlap,
                misfire=chance.choice(("fire_once", "skip", "fire_all")),
                arguments={"milliseconds": chance.choice((0, 300, 1500))},
                history_strategy=chance.choice(("FULL", "MINIMAL", "ERROR", "OFF")),
            ),
            by="fuzz",
        )
    mend()


def mend() -> None:
    """Make the accounts as they have to be: a fuzzed console deletes, locks and demotes them."""
    roles.ensure()
    for name in (ROOT, NOBODY, *ROLES):
        user, is_new = User.objects.get_or_create(username=PREFIX + name)
        if is_new:
            user.set_password(_PASSWORD)
            user.is_staff = name != NOBODY
            user.is_superuser = name == ROOT
            user.save()
        User.objects.filter(pk=user.pk).exclude(
            is_active=True, is_staff=name != NOBODY, is_superuser=name == ROOT
        ).update(is_active=True, is_staff=name != NOBODY, is_superuser=name == ROOT)
        if name in ROLES:
            user.groups.set(Group.objects.filter(name=name))


class _Silent:
    def write(self, text: str) -> None:
        """Tell nobody."""


class Purse:
    """One fuzzer's credentials, kept until they stop being worth anything."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], str] = {}

    def forget(self) -> None:
        """Get all anew when they are needed next."""
        self._kept.clear()

    def drop(self, name: str) -> None:
        """Get this account's anew when they are needed next."""
        for key in [key for key in self._kept if key[1] == name]:
            del self._kept[key]

    def headers(self, surface: str, name: str, *, token: bool) -> tuple[tuple[str, str], ...]:
        """Return what an account shows at a surface's door; ``token``: its API token instead of what is usual."""
        if name == STRANGER:
            return ()
        if surface == "admin":
            session = self._get("session", name, self._session)
            return (("Cookie", f"sessionid={session}; csrftoken={CSRF}"),)
        if token:
            return (("Authorization", f"Bearer {self._get('token', name, self._token)}"),)
        if surface == "voltmx":
            return (("X-VoltMX-Authorization", self._get("claims", name, self._claims)),)
        login = base64.b64encode(f"{PREFIX}{name}:{_PASSWORD}".encode()).decode()
        return (("Authorization", f"Basic {login}"),)

    def refresh_token(self, name: str) -> str:
        """Return the token that renews a Volt MX login."""
        return claims.open_session(_user(name)).refresh

    def _get(self, sort: str, name: str, make: Callable[[User], str]) -> str:
        if (sort, name) not in self._kept:
            self._kept[sort, name] = make(_user(name))
        return self._kept[sort, name]

    def _claims(self, user: User) -> str:
        return claims.open_session(user).claims

    def _token(self, user: User) -> str:
        role = user.username.removeprefix(PREFIX)
        ends = timezone.now() + timedelta(days=2)
        return api_tokens.issue(
            "fuzz", owner=user, role=Role(role) if role in ROLES else Role.ADMINISTRATOR, expires_at=ends, by="fuzz"
        )[1]

    def _session(self, user: User) -> str:
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        return str(session.session_key)


def _user(name: str) -> User:
    found = User.objects.filter(username=PREFIX + name).first()
    if found is None:
        mend()
        found = User.objects.get(username=PREFIX + name)
    return found


class Known:
    """What is there at the moment, so that requests meet something; looked up anew now and then."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {}
        self._rows: dict[str, list[Any]] = {}

    def look(self) -> None:
        """Read the newest ids of everything."""
        newest = {
            "voltmx": Job.objects.of_kind("voltmx").order_by("-pk").values_list("number", flat=True),
            "zementis": Job.objects.of_kind("zementis").order_by("-pk").values_list("number", flat=True),
            "execution": Execution.objects.filter(number__isnull=False)
            .order_by("-pk")
            .values_list("number", flat=True),
            "model": ScoringModel.objects.order_by("-pk").values_list("name", flat=True),
            "object": ManagedObject.objects.order_by("-pk").values_list("pk", flat=True),
            "measurement": Measurement.objects.order_by("-pk").values_list("pk", flat=True),
        }
        self.values = {name: list(query[:_MOST]) for name, query in newest.items()}
        self._rows.clear()

    def parameter(self, operation: str, name: str, chance: random.Random) -> str | None:
        """Return a value for a path's parameter; None where there is nothing of the sort."""
        sort = {
            "jobId": "voltmx" if operation.startswith("voltmx") else "zementis",
            "jobRunId": "execution",
            "executionId": "execution",
            "modelName": "model",
            "childId": "object",
            "id": "measurement" if "measurement" in operation and "supported" not in operation else "object",
        }.get(name, "")
        found = self.values.get(sort) or []
        return str(chance.choice(found)) if found else None

    def any(self, sort: str, chance: random.Random, *, otherwise: Any = 1) -> Any:
        """Return one id of a sort."""
        found = self.values.get(sort) or [otherwise]
        return chance.choice(found)

    def rows(self, label: str) -> list[Any]:
        """Return keys of a table's rows, those of the fuzzer's own accounts left out."""
        if label not in self._rows:
            model = apps.get_model(label)
            query = model._default_manager.order_by("-pk")
            if model is User:
                query = query.exclude(username__startswith=PREFIX)
            elif model is Group:
                query = query.exclude(name__in=ROLES)
            elif model in (ApiToken, AccountSession):
                owner = "owner" if model is ApiToken else "user"
                query = query.exclude(Q(**{f"{owner}__username__startswith": PREFIX}))
            self._rows[label] = list(query.values_list("pk", flat=True)[:_MOST])
        return self._rows[label]
