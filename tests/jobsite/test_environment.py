"""Reading of environment variables."""

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from jobsite.environment import Environment


def test_each_kind_of_value_is_read() -> None:
    env = Environment(
        {
            "TEXT": " some ",
            "FLAG": "Yes",
            "NUMBER": "12",
            "WORDS": "a, b,,c",
            "CHOICE": "JSON",
            "ZONE": "Europe/Berlin",
            "URL": "http://example.org:80/x",
        }
    )
    read = (
        env.text("TEXT", default=""),
        env.flag("FLAG", default=False),
        env.integer("NUMBER", default=1, low=0, high=20),
        env.words("WORDS", default=()),
        env.choice("CHOICE", default="text", options=("json", "text")),
        env.zone("ZONE", default="UTC"),
        env.url("URL", default="", schemes=("http",)),
    )
    assert read == ("some", True, 12, ["a", "b", "c"], "json", "Europe/Berlin", "http://example.org:80/x")


def test_an_empty_variable_counts_as_not_set() -> None:
    env = Environment({"TEXT": " ", "NUMBER": "", "MAYBE": ""})
    read = (
        env.text("TEXT", default="d"),
        env.integer("NUMBER", default=3, low=0, high=9),
        env.optional_integer("MAYBE", low=0, high=9),
    )
    assert read == ("d", 3, None)


def test_a_secret_is_read_from_a_file_which_wins(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\nand more\n")
    env = Environment({"A_FILE": str(file), "A": "another", "B": "kept"})
    env.secrets("A", "B")
    read = (env.text("A", default=""), env.words("A", default=()), env.text("B", default=""), env.has("A"))
    assert read == ("from the file\nand more", ["from the file", "and more"], "kept", True)
    assert env.known == {"A", "B", "A_FILE", "B_FILE"}


def test_a_file_that_is_not_there_cannot_be_read_or_is_empty_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    told = {}
    for name in ("none", "empty", "bytes", ""):
        with pytest.raises(ImproperlyConfigured) as raised:
            Environment({"B_FILE": str(tmp_path / name)}).secrets("B")
        told[name] = str(raised.value)
    unread = "B_FILE: expected a file that can be read."
    assert told == {"none": unread, "empty": "B_FILE: the file is empty.", "bytes": unread, "": unread}


def test_a_refusal_tells_nothing_of_the_value_be_it_as_its_cause() -> None:
    wrong = {"URL": "http://user:secret/word@host"}
    with pytest.raises(ImproperlyConfigured) as raised:
        Environment(wrong).url("URL", default="", schemes=("http",))
    assert "secret" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://jobsite@db:5432/jobs", "postgresql://jobsite:p%40%2F%3A@db:5432/jobs"),
        ("postgresql://jobsite:old@db/jobs?sslmode=require", "postgresql://jobsite:p%40%2F%3A@db/jobs?sslmode=require"),
        ("redis://redis:6379/0", "redis://:p%40%2F%3A@redis:6379/0"),
        ("", "P_FILE: goes with a URL that names a host or a user."),
        ("redis+socket:///run/redis", "P_FILE: goes with a URL that names a host or a user."),
    ],
)
def test_a_password_from_a_file_goes_into_its_url(tmp_path: Path, url: str, expected: str) -> None:
    (tmp_path / "password").write_text("p@/:\n")
    env = Environment({"URL": url, "P_FILE": str(tmp_path / "password")})
    try:
        env.password("URL", file="P_FILE")
        told = env.text("URL", default="")
    except ImproperlyConfigured as error:
        told = str(error)
    assert told == expected


def test_words_are_read_with_what_each_stands_for() -> None:
    env = Environment({"X": "CN=admins=one, b=two ,"})
    assert env.mapping("X", options=("one", "two")) == {"CN=admins": "one", "b": "two"}


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        (
            "a=three",
            lambda env: env.mapping("X", options=("one", "two")),
            "X: expected word=option pairs separated by commas, each option one of one, two.",
        ),
        ("maybe", lambda env: env.flag("X", default=True), "X: expected 1 or 0."),
        (
            "a:b",
            lambda env: env.matching("X", default="a", pattern=r"\w+", expected="a word"),
            "X: expected a word.",
        ),
        ("ten", lambda env: env.integer("X", default=1, low=1, high=9), "X: expected a whole number from 1 to 9."),
        ("10", lambda env: env.integer("X", default=1, low=1, high=9), "X: expected a whole number from 1 to 9."),
        ("0", lambda env: env.optional_integer("X", low=1, high=9), "X: expected a whole number from 1 to 9."),
        ("xml", lambda env: env.choice("X", default="a", options=("a", "b")), "X: expected one of a, b."),
        (
            "Mars/Base",
            lambda env: env.zone("X", default="UTC"),
            "X: expected an IANA time zone such as Europe/Berlin.",
        ),
        (
            "ftp://h",
            lambda env: env.url("X", default="", schemes=("http",)),
            "X: expected a URL that starts with http://.",
        ),
        (
            "http://",
            lambda env: env.url("X", default="", schemes=("http",)),
            "X: expected a URL that starts with http://.",
        ),
        (
            "http://h:99999",
            lambda env: env.url("X", default="", schemes=("http",)),
            "X: expected a URL that starts with http://.",
        ),
        (
            "c2hvcnQ=",
            lambda env: env.fernet_keys("X", default=()),
            "X: expected Fernet keys (32 bytes in URL-safe base64) separated by commas.",
        ),
        (
            "mysql://h/d",
            lambda env: env.database("X", default=""),
            "X: expected a URL that starts with postgresql:// or postgres://.",
        ),
        (
            "postgresql://secret:pw@h/",
            lambda env: env.database("X", default=""),
            "X: expected postgresql://user:password@host:port/name.",
        ),
    ],
)
def test_a_bad_value_names_its_variable_and_never_itself(
    value: str, read: Callable[[Environment], object], expected: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        read(Environment({"X": value}))
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://u:p%40ss@db:5433/jobs",
            {"NAME": "jobs", "USER": "u", "PASSWORD": "p@ss", "HOST": "db", "PORT": 5433},
        ),
        (
            "postgresql://u@/jobs?host=%2Frun%2Fpg",
            {"NAME": "jobs", "USER": "u", "PASSWORD": "", "HOST": "", "PORT": "", "OPTIONS": {"host": "/run/pg"}},
        ),
    ],
)
def test_a_database_is_read_from_its_url(url: str, expected: dict[str, object]) -> None:
    read = Environment({"X": url}).database("X", default="")
    assert read == {"ENGINE": "django.db.backends.postgresql", **expected}
