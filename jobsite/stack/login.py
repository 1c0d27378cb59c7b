"""The administrator's login as the stack keeps it for whoever reads its terminal."""

import json
from dataclasses import dataclass
from pathlib import Path

from jobsite.stack.home import write_secret


@dataclass(frozen=True)
class Login:
    """A user name and, where the stack knows it, the password."""

    user: str
    password: str | None


def keep(login: Login, file: Path) -> None:
    """Keep a login in a file that only we may read."""
    write_secret(file, json.dumps({"user": login.user, "password": login.password}))


def recall(kept: Path) -> Login | None:
    """The login with the random password, if one is kept."""
    if not kept.exists():
        return None
    value = json.loads(kept.read_text())
    return Login(value["user"], value["password"])
