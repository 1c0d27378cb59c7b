"""The documents: they build as a site without a warning, and no link in them leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    # Strict: an entry of the menu, a link or an anchor that leads nowhere ends it.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    loaded = [
        f"{page.relative_to(tmp_path)}: {address}"
        for page in tmp_path.rglob("*.html")
        for address in re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\"> ]+)", page.read_text())
    ]
    assert loaded == []


def test_links_of_the_readme_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text())
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert (len(links) > 10, missing) == (True, [])


def test_tests_that_the_documents_name_are_there() -> None:
    # `live/test_beats` `a_part_of_its_name`, `another`; and paths as they are.
    text = "\n".join(page.read_text() for page in sorted((ROOT / "docs").rglob("*.md")))
    files = set(re.findall(r"`(?:tests/)?((?:[a-z]+/)+test_\w+)(?:\.py)?`", text))
    missing = sorted(file for file in files if not (ROOT / "tests" / f"{file}.py").exists())
    named = [
        (file, part)
        for file, parts in re.findall(r"`((?:[a-z]+/)+test_\w+)`((?:,? `\w+`)+)", text)
        for part in re.findall(r"`(\w+)`", parts)
    ]
    gone = [
        f"{file}: {part}"
        for file, part in named
        if (ROOT / "tests" / f"{file}.py").exists()
        and not re.search(rf"^\s*def test_\w*{part}", (ROOT / "tests" / f"{file}.py").read_text(), re.MULTILINE)
    ]
    assert (len(files) > 30, len(named) > 20, missing, gone) == (True, True, [], [])


def test_every_module_of_the_core_is_found_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path.name for path in (ROOT / "scheduler").glob("*.py") if not path.name.startswith(("__", "apps"))]
    django = {"management/", "migrations/", "templatetags/"}
    rooms = {f"{path.parent.name}/" for path in (ROOT / "scheduler").glob("*/__init__.py")} - django
    assert sorted(name for name in (*modules, *rooms) if f"`{name}`" not in page) == []
