"""Reading the members of an entry, and collecting what is wrong with them by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from scheduler.cli.documents import Located
from scheduler.cli.problems import Problem

_TYPES = {str: "text", bool: "true or false", int: "a whole number", type(None): "null"}


class Members:
    """An entry of a file, and its problems."""

    def __init__(self, entry: Located) -> None:
        self.entry = entry
        self.problems: list[Problem] = []

    def refuse(self, name: str, text: str) -> None:
        """Note a problem of a member, or of the entry where it has no such member."""
        self.problems.append(Problem(self.entry.lines.get(name, self.entry.line), text))

    def refuse_unknown(self, members: Located, known: Iterable[str], inside: str = "") -> None:
        """Note the members that are not among ``known``."""
        for name in members:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean '{near[0]}'?" if near else ""
                self.problems.append(Problem(members.lines[name], f"unknown field '{inside}{name[:100]}'{hint}"))

    def plain(self, name: str, *taken: type) -> Any:
        """Return a member of one of these types; another is refused."""
        value = self.entry[name]
        if type(value) not in taken:
            self.refuse(name, f"{name} must be {' or '.join(_TYPES[each] for each in taken)}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a member that is a list of texts; another is refused. Empty where there is none."""
        value = self.entry.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(name, f"{name} must be a list of texts")
            return ()
        return tuple(value)
