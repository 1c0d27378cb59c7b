"""Reading members of a JSON object with every problem collected, not only the first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


class Problems(Exception):
    """What is wrong with an input: member -> sentences, in the order in which they were found."""

    def __init__(self) -> None:
        super().__init__("the input has problems")
        self.by_field: dict[str, list[str]] = {}

    def add(self, field: str, problem: str) -> None:
        """Note one problem of a member."""
        self.by_field.setdefault(field, []).append(problem)

    def raise_any(self) -> None:
        """Raise this where anything was noted."""
        if self.by_field:
            raise self


class Reader:
    """Typed reads from one JSON object; what is wrong goes to ``problems`` under the member's dotted path.

    A member that is null counts as absent. An absent member gives its default; without one (``needed``) it is a
    problem, and the read gives an empty value of the type, which nobody sees because the problems are raised.
    """

    def __init__(self, source: Mapping[str, Any], problems: Problems, *, path: str = "") -> None:
        self._source = source
        self.problems = problems
        self._path = path

    def has(self, name: str) -> bool:
        """Whether the member is there and not null."""
        return self._source.get(name) is not None

    def raw(self, name: str) -> Any:
        """The member as it is, None where it is absent."""
        return self._source.get(name)

    def refuse(self, name: str, problem: str) -> None:
        """Note a problem of a member."""
        self.problems.add(f"{self._path}.{name}" if self._path else name, problem)

    def text(
        self,
        name: str,
        *,
        default: str | None = None,
        low: int = 0,
        high: int = 255,
        pattern: re.Pattern[str] | None = None,
        meaning: str = "",
    ) -> str:
        """A string of ``low`` to ``high`` characters that the whole of ``pattern`` matches, told of as ``meaning``."""
        value = self._present(name, default)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.refuse(name, "must be a string")
            return ""
        if not low <= len(value) <= high:
            self.refuse(
                name, f"must have from {low} to {high} characters" if low else f"has more than {high} characters"
            )
        elif pattern is not None and not pattern.fullmatch(value):
            self.refuse(name, meaning)
        return value

    def choice(self, name: str, options: Iterable[str], *, default: str | None = None) -> str:
        """One of ``options``."""
        value = self._present(name, default)
        known = tuple(options)
        if value is not None and (not isinstance(value, str) or value not in known):
            self.refuse(name, f"must be {known[0]}" if len(known) == 1 else f"must be one of {', '.join(known)}")
        return value if isinstance(value, str) else ""

    def integer(self, name: str, *, low: int, high: int) -> int | None:
        """A whole number, None where the member is absent."""
        value = self._source.get(name)
        if value is None:
            return None
        if type(value) is not int:
            self.refuse(name, "must be an integer")
            return None
        if not low <= value <= high:
            self.refuse(name, f"must be from {low} to {high}")
            return None
        return value

    def mapping(self, name: str, *, needed: bool = False) -> Mapping[str, Any] | None:
        """An object, None where the member is absent."""
        value = self._source.get(name)
        if value is None:
            if needed:
                self.refuse(name, "is required")
            return None
        if not isinstance(value, Mapping):
            self.refuse(name, "must be an object")
            return None
        return value

    def _present(self, name: str, default: str | None) -> Any:
        value = self._source.get(name)
        if value is None:
            value = default
            if default is None:
                self.refuse(name, "is required")
        return value
