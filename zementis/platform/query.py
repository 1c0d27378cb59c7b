"""The inventory's query language, as far as clients of this project's kind use it.

$filter=(has(c8y_IsDevice) and name eq 'pump*' and bygroupid(12)) $orderby=name desc
comparisons: eq ne gt ge lt le on type, name, owner, id and on numbers, texts and booleans in fragments (a.b.c)
functions: has(path), bygroupid(id), isinhierarchyof(id); connectives: and, or, not, parentheses
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTransform

from zementis.devices import managed_objects
from zementis.errors import Unprocessable
from zementis.job_form import shown
from zementis.models import ManagedObject

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])|(?P<name>[A-Za-z_][\w.\-]*)|(?P<mark>[(),]))",
    re.ASCII,
)
_COLUMNS = {"type": "type", "name": "name", "owner": "owner", "id": "pk"}
_COMPARISONS = {"eq": "exact", "ne": "exact", "gt": "gt", "ge": "gte", "lt": "lt", "le": "lte"}
_MAX_LENGTH = 4_000
_MAX_DEPTH = 50
_LARGEST_ID = 2**63 - 1


def apply(rows: QuerySet[ManagedObject], text: str, *, devices_only: bool) -> QuerySet[ManagedObject]:
    """Return the rows a query selects, in its order. Raises ``Unprocessable``."""
    if len(text) > _MAX_LENGTH:
        raise Unprocessable(f"A query has at most {_MAX_LENGTH} characters.")
    condition, order = _split(text)
    if devices_only:
        rows = rows.filter(fragments__has_key="c8y_IsDevice")
    if condition:
        rows = rows.filter(_Parser(_tokens(condition)).parse())
    return rows.order_by(*order)


def _split(text: str) -> tuple[str, list[str]]:
    """Return the condition and the order of a query; a bare condition may leave ``$filter=`` out."""
    condition, _, ordering = text.partition("$orderby=")
    order: list[str] = []
    for part in ordering.split(",") if ordering.strip() else []:
        words = part.split()
        column = _COLUMNS.get(words[0]) if words else None
        if column is None or len(words) > 2 or words[-1].lower() not in {words[0].lower(), "asc", "desc"}:
            raise Unprocessable(f"$orderby takes type, name, owner or id, not '{shown(part.strip())}'.")
        order.append(f"-{column}" if words[-1].lower() == "desc" else column)
    condition = condition.strip().removeprefix("$filter=").strip().rstrip("&+").strip()
    return condition, [*order, "pk"]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise Unprocessable(f"The query cannot be read at '{shown(text[place:].strip())}'.")
        tokens.append(_Token(match.lastgroup, match.group(match.lastgroup)))
        place = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    def parse(self) -> Q:
        """Return the condition. Raises ``Unprocessable``."""
        where = self._either()
        if self._place < len(self._tokens):
            raise Unprocessable(f"The query cannot be read at '{shown(self._tokens[self._place].text)}'.")
        return where

    def _either(self) -> Q:
        where = self._both()
        while self._take_word("or"):
            where = operator.or_(where, self._both())
        return where

    def _both(self) -> Q:
        where = self._one()
        while self._take_word("and"):
            where = operator.and_(where, self._one())
        return where

    def _one(self) -> Q:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Unprocessable("The query is nested too deeply.")
        try:
            if self._take_word("not"):
                return ~self._one()
            if self._take_mark("("):
                where = self._either()
                self._expect(")")
                return where
            return self._condition()
        finally:
            self._depth -= 1

    def _condition(self) -> Q:
        token = self._next()
        if token.kind != "name":
            raise Unprocessable(f"The query cannot be read at '{shown(token.text)}'.")
        if self._take_mark("("):
            argument = self._next()
            self._expect(")")
            return self._function(token.text.lower(), argument)
        comparison = self._next().text.lower()
        if comparison not in _COMPARISONS:
            raise Unprocessable(f"A query compares with eq, ne, gt, ge, lt or le, not with '{shown(comparison)}'.")
        where = self._comparison(token.text, comparison, self._next())
        return ~where if comparison == "ne" else where

    def _function(self, name: str, argument: _Token) -> Q:
        if name == "has":
            first, *rest = argument.text.strip("'").split(".")
            if not rest:
                return Q(fragments__has_key=first)
            return _fragment([first, *rest[:-1]], "has_key", rest[-1])
        if name in {"bygroupid", "isinhierarchyof"}:
            digits = argument.text.strip("'")
            if not _is_id(digits):
                raise Unprocessable(f"{name} takes an id, not '{shown(argument.text)}'.")
            if name == "bygroupid":
                return Q(
                    pk__in=ManagedObject.objects.filter(
                        parent_references__parent_id=int(digits), parent_references__kind="asset"
                    ).values("pk")
                )
            return Q(pk__in=[int(digits), *managed_objects.below(int(digits))])
        raise Unprocessable(f"The query function '{shown(name)}' is not known.")

    def _comparison(self, path: str, comparison: str, token: _Token) -> Q:
        lookup = _COMPARISONS[comparison]
        if path in _COLUMNS:
            value = _plain(token)
            if path == "id" and not _is_id(value):
                raise Unprocessable(f"id is compared with an id, not with '{shown(value)}'.")
            if lookup == "exact" and "*" in value:
                return Q(**{f"{_COLUMNS[path]}__regex": _wildcards(value)})
            return Q(**{f"{_COLUMNS[path]}__{lookup}": value})
        keys = path.split(".")
        if token.kind == "text":
            text = _plain(token)
            if lookup == "exact" and "*" in text:
                return _fragment(keys, "regex", _wildcards(text))
            return _fragment(keys, lookup, text)
        if token.text.lower() in {"true", "false"}:
            return _fragment(keys, lookup, token.text.lower() == "true")
        if token.kind != "number":
            raise Unprocessable(f"A query compares with a text in quotes or a number, not with '{shown(token.text)}'.")
        return _fragment(keys, lookup, float(token.text) if "." in token.text else int(token.text))

    def _next(self) -> _Token:
        if self._place >= len(self._tokens):
            raise Unprocessable("The query ends too early.")
        self._place += 1
        return self._tokens[self._place - 1]

    def _take_word(self, word: str) -> bool:
        return self._take("name", word)

    def _take_mark(self, mark: str) -> bool:
        return self._take("mark", mark)

    def _take(self, kind: str, text: str) -> bool:
        if self._place < len(self._tokens):
            token = self._tokens[self._place]
            if token.kind == kind and token.text.lower() == text:
                self._place += 1
                return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._take_mark(mark):
            raise Unprocessable(f"The query misses '{mark}'.")


def _fragment(path: list[str], lookup: str, value: Any) -> Q:
    """Return that a value inside the fragments compares so; an object without it does not match, negated it does."""
    found: Any = "fragments"
    for key in path:
        found = KeyTransform(key, found)
    # Through a sub-query: a comparison with an absent key is null, and so would its negation be.
    rows = ManagedObject.objects.annotate(queried=found).filter(**{f"queried__{lookup}": value})
    return Q(pk__in=rows.values("pk"))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _LARGEST_ID


def _plain(token: _Token) -> str:
    return token.text[1:-1].replace("''", "'") if token.kind == "text" else token.text


def _wildcards(text: str) -> str:
    return "^" + ".*".join(re.escape(part) for part in text.split("*")) + "$"
