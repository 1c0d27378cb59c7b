"""The page of settings is what the code declares: names, types, bounds, defaults, meanings."""

import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from jobsite.environment import Environment
from jobsite.settings import BASE_DIR, env
from jobsite.settings_table import page, tables


def test_the_page_is_what_the_settings_declare() -> None:
    text = (BASE_DIR / "docs" / "configuration.md").read_text()
    assert text == page(text, env), "run manage.py settings_table"


def test_other_pages_tell_the_same_defaults() -> None:
    rows = [
        (page.name, name, told)
        for page in sorted((BASE_DIR / "docs").rglob("*.md"))
        if page.name != "configuration.md"
        for name, told in re.findall(r"^\| `([A-Z0-9_]+)` \| `?(\d+)\b", page.read_text(), re.MULTILINE)
        if name in env.declared
    ]
    other = [row for row in rows if f"`{row[2]}`" not in env.declared[row[1]].default]
    assert (len(rows) > 5, other) == (True, [])


def test_every_variable_that_is_read_is_declared_with_a_meaning_and_a_section() -> None:
    silent = sorted(one.name for one in env.declared.values() if not (one.meaning and one.section))
    assert (sorted(env.known - set(env.declared)), silent) == ([], [])


@pytest.mark.parametrize("variables", [{}, {"JOBSITE_ENV": "production", "LEASE_SECONDS": "9", "ON": "1"}])
def test_a_declaration_does_not_depend_on_what_is_set(variables: dict[str, str]) -> None:
    read = Environment(variables)
    read.production = bool(variables)
    read.section("Core", "The heart.")
    read.integer("LEASE_SECONDS", default=12, low=3, high=3600, doc="How long.")
    read.integer("LIMIT_BYTES", default=64 << 20, low=1024, high=1 << 30, doc="How much.")
    read.section("Doors")
    read.flag("ON", default=False, production=True, doc="Whether.")
    read.choice("WHICH", default="a", options=("a", "b", "c"), doc="Which.")
    read.networks("NETS", default=("loopback",), production=(), words=("loopback",), doc="From where.")
    read.optional_url("SITE", schemes=("https",), doc="Where.")
    read.section("Core")
    read.text("KEY", default=str(id(read)), shown="random", doc="Signs.")
    assert tables(read) == (
        "## Core\n\nThe heart.\n\n"
        "| Variable | Takes | Default | Meaning |\n|---|---|---|---|\n"
        "| `LEASE_SECONDS` | seconds, 3 to 3600 | `12` | How long. |\n"
        "| `LIMIT_BYTES` | bytes, 1 KiB to 1 GiB | `67108864` (64 MiB) | How much. |\n"
        "| `KEY` | text | random | Signs. |\n\n"
        "## Doors\n\n"
        "| Variable | Takes | Default | Meaning |\n|---|---|---|---|\n"
        "| `ON` | `1` or `0` | `0`; `1` in production | Whether. |\n"
        "| `WHICH` | `a`, `b` or `c` | `a` | Which. |\n"
        "| `NETS` | `loopback` or networks such as `10.1.0.0/16`, separated by commas | `loopback`; none in production "
        "| From where. |\n"
        "| `SITE` | URL, `https://` | none | Where. |\n"
    )


def test_the_default_of_production_holds_in_production_alone() -> None:
    read = Environment({"JOBSITE_ENV": "production"})
    here = read.flag("ON", default=False, production=True), read.words("NETS", default=("a",), production=())
    read.production = True
    there = read.flag("ON", default=False, production=True), read.words("NETS", default=("a",), production=())
    assert (here, there) == ((False, ["a"]), (True, []))


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Settings\n")
    with pytest.raises(CommandError, match="the page has no"):
        call_command("settings_table", str(file))
    assert file.read_text() == "# Settings\n"
