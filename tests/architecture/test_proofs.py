"""The tests that the documents name as the proof of what they promise exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
# A module below tests/, in backticks, and after it the names of tests, shortened with an ellipsis here and there.
_NAMED = re.compile(r"`(?:tests/)?((?:\w+/)+test_\w+)(?:\.py)?`([^`|;]*)")
_NAME = re.compile(r"…?[a-z0-9]+(?:_[a-z0-9]+)+…?|…[a-z0-9]+…")


@cache
def names(module: str) -> list[str]:
    """The tests of a module, without their first word."""
    tree = ast.parse((TESTS / f"{module}.py").read_text())
    return [node.name[5:] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name[:5] == "test_"]


def found(module: str, name: str) -> bool:
    pattern = re.compile(re.escape(name).replace("…", ".*"))
    return any(pattern.fullmatch(test) for test in names(module))


@pytest.mark.parametrize("page", ["guarantees", "runs", "when-something-dies"])
def test_each_test_that_a_promise_names_exists(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    rows = [(module, _NAME.findall(after)) for module, after in _NAMED.findall(text)]
    assert len(rows) > 20
    assert [module for module, _ in rows if not (TESTS / f"{module}.py").exists()] == []
    missing = [(module, name) for module, wanted in rows for name in wanted if not found(module, name)]
    assert missing == []
