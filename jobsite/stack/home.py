"""The stack's data directory: who holds it, and what it keeps between starts."""

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from cryptography.fernet import Fernet


class StackError(Exception):
    """The stack cannot run; the message is one line that says what to do."""


class Home:
    """The data directory of one stack. Everything in it that is secret is readable by its owner alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "run"
        self.logs = root / "log"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory for this process, making it where there is none.

        The kernel lets go of the lock when the process ends, however it ends, so that none is ever stale.
        Raises StackError where the directory cannot be written or another stack holds it.
        """
        try:
            for directory, mode in ((self.root, 0o755), (self.run, 0o700), (self.logs, 0o700)):
                directory.mkdir(parents=True, exist_ok=True, mode=mode)
            descriptor = os.open(self.run / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StackError(
                f"Cannot write to {self.root} ({error.strerror}): set DATA_DIR to another place."
            ) from error
        with os.fdopen(descriptor, "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = lock.read().strip() or "?"
                raise StackError(f"A stack already runs on {self.root} (process {holder}): stop it first.") from error
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def environment(self, found: Mapping[str, str]) -> dict[str, str]:
        """The secrets of this installation, made at its first start, and `found`, the addresses of its servers.

        They are kept in `stack.env`, where the settings of any `manage.py` command beside the stack find them.
        """
        file = self.root / "stack.env"
        lines = file.read_text().splitlines() if file.exists() else []
        kept = dict(line.split("=", 1) for line in lines if "=" in line)
        values = {
            "SECRET_KEY": kept.get("SECRET_KEY") or secrets.token_urlsafe(48),
            "ENCRYPTION_KEYS": kept.get("ENCRYPTION_KEYS") or Fernet.generate_key().decode(),
            **found,
        }
        write_secret(file, "".join(f"{name}={value}\n" for name, value in values.items()))
        return values

    def read_json(self, name: str) -> dict[str, object]:
        """What `write_json` last wrote under this name; empty where there is nothing that can be read."""
        try:
            value = json.loads((self.run / name).read_text())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        """Keep a value between starts."""
        write_secret(self.run / name, json.dumps(value))


def write_secret(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
