"""The configuration's page names every setting that there is, and none that is gone."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented() -> None:
    settings = (ROOT / "jobsite" / "settings.py").read_text()
    page = (ROOT / "docs" / "configuration.md").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', settings))
    told = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", page, re.MULTILINE))
    assert (sorted(read - told), sorted(told - read)) == ([], [])
