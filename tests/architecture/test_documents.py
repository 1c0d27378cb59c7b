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


def test_addresses_elsewhere_are_whole_and_encrypted() -> None:
    # Whether they answer is not asked: no test may depend on the network.
    pages = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    links = [link for page in pages for link in re.findall(r"\]\(([a-z]+:[^)\s]*)[^)]*\)", page.read_text())]
    odd = [link for link in links if not re.fullmatch(r"https://([a-z0-9-]+\.)+[a-z]{2,}(/[\w./#-]*)?", link)]
    assert (len(links) > 4, odd) == (True, [])


def test_files_of_tests_that_the_documents_name_are_there() -> None:
    text = "\n".join(page.read_text() for page in sorted((ROOT / "docs").rglob("*.md")))
    files = set(re.findall(r"`(?:tests/)?((?:[a-z]+/)+test_\w+)(?:\.py)?`", text))
    missing = sorted(file for file in files if not (ROOT / "tests" / f"{file}.py").exists())
    assert (len(files) > 30, missing) == (True, [])


def test_every_module_of_the_core_is_found_in_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    modules = [path.name for path in (ROOT / "scheduler").glob("*.py") if not path.name.startswith(("__", "apps"))]
    django = {"management/", "migrations/", "templatetags/"}
    rooms = {f"{path.parent.name}/" for path in (ROOT / "scheduler").glob("*/__init__.py")} - django
    assert sorted(name for name in (*modules, *rooms) if f"`{name}`" not in page) == []
