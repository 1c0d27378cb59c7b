"""YAML of jobs: what is written is read as the same, and nothing in a file can do harm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.cli import documents
from scheduler.cli.problems import Problem, Refused

# What PostgreSQL keeps as JSON: no U+0000, no half of a surrogate pair.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
@example(
    {"a": "OFF", "off": "1e5", "1": "0x1F", "<<": "~", "": "", "null": " x ", "b": "2026-01-01", "c": "=", "d": "\x85"}
)
@example(
    {"a": "\u2028", "b": "\ufeff", "c": "\U0001f600", "d": "\ud7ff", "e": "\r\n\t", "f": "# no comment", "g": "\x7f"}
)
@example(
    {"a": "line\n  deeper\n\nlast", "b": " leading\n", "c": "-", "d": "? x", "e": "x: y", "f": "1_000", "g": "1:30"}
)
@example(
    {"a": 10**30, "b": -0.0, "c": 1e-300, "d": 1e22, "e": [], "f": {}, "g": [[], {}], "h": ".5", "i": "+1", "j": "1."}
)
def test_what_is_written_is_read_as_the_same(value: dict[str, Any]) -> None:
    read = documents.plain(documents.read(documents.write(value).encode()))
    assert (read, repr(read)) == (value, repr(value))


def test_yaml_1_1_reads_what_is_written_as_the_same() -> None:
    value = {
        "history": "OFF",
        "on": "yes",
        "when": "2026-11-22T12:00:00+00:00",
        "octal": "017",
        "exponent": "1e5",
        "n": 3,
    }
    assert yaml.safe_load(documents.write(value)) == value


def test_plain_words_are_not_guessed_at() -> None:
    text = b"a: OFF\nb: yes\nc: 2026-11-22\nd: 017\ne: 1:30\nf: 0x1F\ng: .inf\nh: true\ni: ~\nj: 1e3\nk: '1'\nl:\n"
    expected = {"a": "OFF", "b": "yes", "c": "2026-11-22", "d": 17, "e": "1:30", "f": "0x1F", "g": ".inf"}
    assert documents.read(text) == expected | {"h": True, "i": None, "j": 1000.0, "k": "1", "l": None}


def test_members_know_their_lines() -> None:
    found = documents.read(b"a: 1\nb:\n  c: 2\n  d: [\n    {e: 3}\n  ]\n")
    assert (found.lines, found["b"].lines, found["b"]["d"][0].line) == ({"a": 1, "b": 2}, {"c": 3, "d": 4}, 5)


BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
REFUSED: list[tuple[bytes, Problem]] = [
    (BOMB, Problem(1, "anchors and aliases (& and *) are not taken")),
    (b"a: 1\nb: *x\n", Problem(2, "anchors and aliases (& and *) are not taken")),
    (b"a: !!python/object/apply:os.system [ls]\n", Problem(1, "tags (!) are not taken")),
    (b"a: 1\nb: !!str 5\n", Problem(2, "tags (!) are not taken")),
    (b"a: !x {}\n", Problem(1, "tags (!) are not taken")),
    (b"a: 1\nb: 2\na: 3\n", Problem(3, "'a' is there twice, first in line 1")),
    (b"? [1]\n: 2\n", Problem(1, "the name of a member must be text")),
    (b"a: 1\n---\nb: 2\n", Problem(2, "the file has more than one document")),
    (b"a: 1\n\xff\n", Problem(2, "the file is not UTF-8")),
    (b"a: 1\nb: \x07\n", Problem(2, "no YAML: it holds a character that YAML does not allow")),
    (b"a" * (documents.MAX_BYTES + 1), Problem(0, "the file has more than 16 MiB")),
]


@pytest.mark.parametrize(("data", "problem"), REFUSED, ids=[str(each[1]) for each in REFUSED])
def test_what_could_do_harm_is_refused(data: bytes, problem: Problem) -> None:
    with pytest.raises(Refused) as refusal:
        documents.read(data)
    assert refusal.value.problems == (problem,)


def test_what_is_no_yaml_is_told_by_line() -> None:
    with pytest.raises(Refused) as refusal:
        documents.read(b"a: 1\nb: [1, 2\nc: 3\n")
    [problem] = refusal.value.problems
    assert (problem.line, problem.text[:8]) == (3, "no YAML:")


def test_deep_nesting_is_refused_and_costs_no_recursion() -> None:
    with pytest.raises(Refused) as refusal:
        documents.read(b"[" * 100_000)
    assert refusal.value.problems == (Problem(1, "nested deeper than 64 levels"),)


FILES: list[tuple[bytes, list[Problem]]] = [
    (b"", [Problem(1, "the file must be a mapping with the members version and jobs")]),
    (b"- 1\n", [Problem(1, "the file must be a mapping with the members version and jobs")]),
    (b"jobs: []\n", [Problem(1, "version must be 1")]),
    (b"version: true\njobs: []\n", [Problem(1, "version must be 1")]),
    (b"version: 1\njobs: 3\n", [Problem(2, "jobs must be a list")]),
    (b"version: 1\njobs: [3]\n", [Problem(2, "entry 1 of jobs is no mapping")]),
    (
        b"version: 1\nmore: 3\njobs: []\n",
        [Problem(2, "unknown member 'more'; a file has version, calendars, alerts, jobs")],
    ),
    (
        b"version: 1\njobs:\n" + b"- {}\n" * (documents.MAX_JOBS + 1),
        [Problem(2, "a file has at most 20000 jobs; this one has 20001")],
    ),
]


@pytest.mark.parametrize(("data", "problems"), FILES)
def test_a_file_of_jobs_has_one_form(data: bytes, problems: list[Problem]) -> None:
    with pytest.raises(Refused) as refusal:
        documents.read_file(data)
    assert list(refusal.value.problems) == problems


@pytest.mark.parametrize("entries", [[], [{"name": "a"}], [{"name": "a"}, {"name": "b", "x": {"y": [1]}}]])
def test_a_written_file_is_read_as_its_entries(entries: list[dict[str, Any]]) -> None:
    assert documents.plain(documents.read_file("".join(documents.write_jobs(entries)).encode()).jobs) == entries
