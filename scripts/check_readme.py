"""Do the commands that the documentation shows still exist?

Looks at every line of the `sh` and `console` blocks in README.md and docs/: a `make` target must be in the Makefile, a
`manage.py` command must be known to Django, a script must be there, and an address of the stack must lead to a view.
Prints what does not, and ends with 1 where there is something.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)
_STACK_HOSTS = {"127.0.0.1:8000", "localhost:8000"}


def commands(text: str) -> Iterator[list[str]]:
    """The commands of the shell blocks in a Markdown text, split as a shell would, continuation lines joined.

    In a block with prompts (`$ `) only the lines with one are commands; the rest is what a terminal answered.
    """
    for block in _BLOCK.findall(text):
        lines = block.replace("\\\n", " ").splitlines()
        prompts = any(line.startswith("$ ") for line in lines)
        for words in _split(lines, prompts=prompts):
            while words and re.match(r"^[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield words


def _split(lines: list[str], *, prompts: bool) -> Iterator[list[str]]:
    """The commands among the lines, split into words; a quotation may span several lines."""
    together = ""
    for line in lines:
        if not together and prompts:
            if not line.startswith("$ "):
                continue
            line = line[2:]
        together += line + "\n"
        try:
            yield shlex.split(together, comments=True)
        except ValueError:
            continue  # a quotation is still open
        together = ""
    if together:
        raise ValueError(f"a quotation is never closed: {together[:80]}")


def complaint(words: list[str], *, targets: set[str]) -> str | None:
    """What is wrong with one command, or None."""
    program = words[0]
    if program == "make":
        unknown = [word for word in words[1:] if "=" not in word and not word.startswith("-") and word not in targets]
        return f"no target {', '.join(unknown)} in the Makefile" if unknown else None
    if "manage.py" in words[:2]:
        from django.core.management import get_commands

        name = words[words.index("manage.py") + 1]
        return None if name in get_commands() else f"no command {name}"
    if program == "curl":
        return _unknown_address(words)
    if program.startswith(("./", "scripts/", ".ci/")):
        return None if (ROOT / program).exists() else f"no file {program}"
    return None


def _unknown_address(words: list[str]) -> str | None:
    from django.urls import Resolver404, resolve

    for word in words[1:]:
        parts = urlsplit(word.replace("$JOBSITE", "http://127.0.0.1:8000", 1))
        # Health is answered in front of the URL patterns; what a shell variable holds is not known here.
        if parts.netloc not in _STACK_HOSTS or parts.path in {"/healthz", "/readyz"} or "$" in parts.path:
            continue
        try:
            resolve(parts.path)
        except Resolver404:
            return f"no view for {parts.path}"
    return None


def main() -> int:
    """Check all documents; the exit code."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")
    import django

    django.setup()
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    wrong = 0
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for words in commands(document.read_text()):
            why = complaint(words, targets=targets)
            if why:
                wrong += 1
                print(f"{document.relative_to(ROOT)}: {shlex.join(words)}: {why}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
