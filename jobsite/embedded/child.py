"""What happens in a child between fork and exec: whose rights it gets, and that it dies with its parent.

PostgreSQL refuses to run as root. Started by root, its processes therefore run as `postgres`, or `nobody` where the
machine has no such user. Root's checkouts often lie where these may not even look (`/root` is closed to others).
Opening root's home to everybody would be one way; here the child keeps, of all of root's rights, only the one to pass
closed directories, and only where the way really is closed.
"""

import ctypes
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jobsite.embedded.service import EmbeddedError

# From linux/prctl.h and linux/capability.h.
_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522

# Loaded before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


@dataclass(frozen=True)
class ServerUser:
    """The ordinary user as whom root's servers run."""

    name: str
    uid: int
    gid: int


def server_user(data: Path) -> ServerUser | None:
    """Whom PostgreSQL with this data directory runs as: None for ourselves, which is the answer unless we are root.

    Raises EmbeddedError where root finds no ordinary user on the machine.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    for entry in (_user(owner), _user("postgres"), _user("nobody")):
        if entry is not None and entry.pw_uid != 0:
            return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as.")


def _user(key: int | str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(key) if isinstance(key, int) else pwd.getpwnam(key)
    except KeyError:
        return None


def reaches(user: ServerUser, path: Path) -> bool:
    """Whether `user` may pass every directory on the way to `path`, and into it."""
    path = path.resolve()
    for step in (path, *path.parents):
        info = step.stat()
        if info.st_uid == user.uid:
            bit = stat.S_IXUSR
        elif info.st_gid == user.gid:
            bit = stat.S_IXGRP
        else:
            bit = stat.S_IXOTH
        if not info.st_mode & bit:
            return False
    return True


def own(path: Path, user: ServerUser | None) -> None:
    """Make `path` a directory that only its owner, the server's user, may enter."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if user is not None:
        os.chown(path, user.uid, user.gid)


def before_exec(
    *, dies_by: signal.Signals, user: ServerUser | None = None, passing: Iterable[Path] = ()
) -> Callable[[], None]:
    """What a child calls before it becomes the server.

    It drops to `user`, keeping the right to pass closed directories where `user` could not reach one of `passing`,
    and, on Linux, has the kernel send it `dies_by` when its parent dies, however that dies.
    """
    parent = os.getpid()
    closed = user is not None and not all(reaches(user, path) for path in passing)
    if closed and _libc is None:
        raise EmbeddedError(
            f"The user {user.name if user else ''} cannot reach the data: set DATA_DIR to a place open to all."
        )

    def prepare() -> None:
        if user is not None:
            os.setgroups([])
            os.setgid(user.gid)
            if closed:
                _prctl(_PR_SET_KEEPCAPS, 1)
            os.setuid(user.uid)
            if closed:
                _keep(_CAP_DAC_OVERRIDE)
        # After setuid, which would clear it.
        if _libc is not None:
            _prctl(_PR_SET_PDEATHSIG, dies_by)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def _keep(capability: int) -> None:
    """Hold exactly this capability, across exec too."""
    only = _Sets(1 << capability, 1 << capability, 1 << capability)
    sets = (_Sets * 2)(only, _Sets(0, 0, 0))
    if _libc is None or _libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, first: int, second: int = 0) -> None:
    if _libc is not None and _libc.prctl(option, first, second, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
