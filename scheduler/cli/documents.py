"""YAML in and out: plain values only, and each mapping knows the lines of its members.

Read from PyYAML's events rather than through its constructors: no tag is looked at, no alias is followed, so that no
file can make objects or blow itself up, and nesting costs no recursion. Plain scalars are read as YAML 1.2's core
schema reads them (``OFF`` and ``2026-11-22`` are text); what is written is quoted where YAML 1.1 reads another value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from scheduler.cli.problems import Problem, Refused

VERSION = 1
MAX_BYTES = 16 * 1024 * 1024
MAX_JOBS = 20_000
MAX_DEPTH = 64
_HEADER = f"# Jobs of Jobsite. See docs/cli.md.\nversion: {VERSION}\n"
_LISTS = ("calendars", "alerts", "jobs")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Located(dict[str, Any]):
    """A mapping that knows in which line it begins and in which lines its keys are."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class _Dumper(_BaseDumper):  # type: ignore[misc]
    """Writes every value out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Text such as 1e5 is text for YAML 1.1 and would come back as a number.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_NUMBER.pattern})$"), list("-+.0123456789"))


@dataclass(frozen=True)
class File:
    """What a file lists. ``alerts``, rules that are defaults: None where the file says nothing of them."""

    jobs: list[Located]
    calendars: list[Located]
    alerts: list[Located] | None
    alerts_line: int = 0


def read_file(data: bytes) -> File:
    """Return the entries of a file of jobs. Raises ``Refused``."""
    whole = read(data)
    if not isinstance(whole, Located):
        raise Refused(Problem(1, "the file must be a mapping with the members version and jobs"))
    problems = [
        Problem(whole.lines[name], f"unknown member '{name[:100]}'; a file has version, calendars, alerts, jobs")
        for name in whole
        if name not in ("version", *_LISTS)
    ]
    if whole.get("version") != VERSION or isinstance(whole.get("version"), bool):
        problems.append(Problem(whole.lines.get("version", whole.line), f"version must be {VERSION}"))
    for name in _LISTS:
        problems += _list_problems(whole, name)
    if problems:
        raise Refused(*problems)
    return File(whole["jobs"], whole.get("calendars") or [], whole.get("alerts"), whole.lines.get("alerts", 0))


def _list_problems(whole: Located, name: str) -> list[Problem]:
    entries = whole.get(name)
    line = whole.lines.get(name, whole.line)
    if entries is None and name != "jobs":
        return []
    if not isinstance(entries, list):
        return [Problem(line, f"{name} must be a list")]
    if len(entries) > MAX_JOBS:
        return [Problem(line, f"a file has at most {MAX_JOBS} {name}; this one has {len(entries)}")]
    return [
        Problem(line, f"entry {place} of {name} is no mapping")
        for place, entry in enumerate(entries, start=1)
        if not isinstance(entry, Located)
    ]


def read(data: bytes) -> Any:
    """Return the one YAML document of ``data``: mappings as ``Located``, lists, texts, numbers. Raises ``Refused``."""
    if len(data) > MAX_BYTES:
        raise Refused(Problem(0, f"the file has more than {MAX_BYTES // 1024 // 1024} MiB"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(Problem(data[: error.start].count(b"\n") + 1, "the file is not UTF-8")) from None
    try:
        return _compose(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Refused(Problem(mark.line + 1 if mark else 0, f"no YAML: {error.problem or error.context}")) from None
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else 0
        raise Refused(Problem(line, "no YAML: it holds a character that YAML does not allow")) from None


def _compose(events: Iterable[Any]) -> Any:
    documents = 0
    root: list[Any] = []
    # Containers that are open, each with the key that waits for its value (mappings only).
    stack: list[tuple[Any, list[str]]] = [(root, [])]
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Refused(Problem(line, "the file has more than one document"))
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            stack.pop()
        elif isinstance(event, NodeEvent):
            _refuse_extras(event, line)
            container, keys = stack[-1]
            if isinstance(container, Located) and not keys:
                _open_member(event, container, keys, line)
                continue
            value = _value(event, line)
            if isinstance(container, Located):
                container[keys.pop()] = value
            else:
                container.append(value)
            if not isinstance(event, ScalarEvent):
                if len(stack) > MAX_DEPTH:
                    raise Refused(Problem(line, f"nested deeper than {MAX_DEPTH} levels"))
                stack.append((value, []))
    return root[0] if root else None


def _refuse_extras(event: Any, line: int) -> None:
    if isinstance(event, AliasEvent) or event.anchor is not None:
        raise Refused(Problem(line, "anchors and aliases (& and *) are not taken"))
    if getattr(event, "tag", None) is not None:
        raise Refused(Problem(line, "tags (!) are not taken"))


def _open_member(event: Any, container: Located, keys: list[str], line: int) -> None:
    if not isinstance(event, ScalarEvent):
        raise Refused(Problem(line, "the name of a member must be text"))
    if event.value in container.lines:
        raise Refused(
            Problem(line, f"'{event.value[:100]}' is there twice, first in line {container.lines[event.value]}")
        )
    container.lines[event.value] = line
    keys.append(event.value)


def _value(event: Any, line: int) -> Any:
    if isinstance(event, MappingStartEvent):
        return Located(line)
    if isinstance(event, SequenceStartEvent):
        return []
    text: str = event.value
    if event.style not in (None, ""):
        return text
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def plain(value: Any) -> Any:
    """Return a value that was read, without its lines."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def write_jobs(
    entries: Iterable[Mapping[str, Any]],
    *,
    calendars: Iterable[Mapping[str, Any]] = (),
    alerts: Sequence[Mapping[str, Any]] | None = None,
) -> Iterable[str]:
    """Yield the text of a file of jobs, an entry at a time. What is written is read as the same values."""
    yield _HEADER
    yield from _listed("calendars", calendars, empty="")
    if alerts is not None:
        yield from _listed("alerts", alerts)
    yield from _listed("jobs", entries)


def _listed(name: str, entries: Iterable[Mapping[str, Any]], *, empty: str | None = None) -> Iterable[str]:
    count = 0
    for entry in entries:
        yield f"{name}:\n" if not count else ""
        yield write([entry])
        count += 1
    if not count:
        yield f"{name}: []\n" if empty is None else empty


def write(value: Any) -> str:
    """Return a value as YAML."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
