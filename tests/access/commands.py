"""Every management command that tells of something, called with the address of a service that repeats all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from tempfile import NamedTemporaryFile

import yaml
from django.core.management import CommandError, call_command

from tests.access.echoing import SECRETIVE
from tests.access.marks import plain

COMMANDS: dict[str, Callable[[str], str]] = {
    "jobs export": lambda _: told("jobs", "export"),
    "jobs export --secrets": lambda _: told("jobs", "export", "--secrets"),
    "jobs list": lambda _: told("jobs", "list"),
    "jobs list --json": lambda _: told("jobs", "list", "--json"),
    "jobs show": lambda _: told("jobs", "show", "voltmx/1"),
    "jobs show --json": lambda _: told("jobs", "show", "voltmx/1", "--json"),
    "jobs history": lambda _: told("jobs", "history", "voltmx/2"),
    "jobs history --json": lambda _: told("jobs", "history", "voltmx/2", "--json"),
    "jobs plan of new secrets": lambda _: planned("export"),
    "jobs plan of other sealed secrets": lambda _: planned("export", "--secrets"),
    "import_voltmx": lambda url: told("import_voltmx", "--url", url, "--user", "ada"),
    "import_voltmx refused": lambda url: told("import_voltmx", "--url", f"{url}/no", "--user", "ada"),
    "import_zementis": lambda url: told(
        "import_zementis", "--url", url, "--auth", f"t/ada:{plain('registry-password')}"
    ),
    "import_zementis of nothing": lambda url: told(
        "import_zementis", "--url", f"{url}/no", "--auth", f"t/ada:{plain('registry-password')}"
    ),
    "audit export": lambda _: told("audit", "export"),
    "voltmx_services list": lambda _: told("voltmx_services", "list"),
    "api_token list": lambda _: told("api_token", "list"),
    "check": lambda _: told("check", "--deploy"),
}
# What of those is no refusal: a command that says no more than that it was called wrongly would hide everything.
SAID = {
    "jobs show --json": "latest_runs",
    "jobs history --json": "refused",
    "jobs plan of new secrets": "to update",
    "jobs plan of other sealed secrets": "to update",
    "import_voltmx": "create    theirs",
    "import_voltmx refused": "refused userid=ada",
    "import_zementis": "theirs",
    "import_zementis of nothing": "status 500",
}


def told(*command: str) -> str:
    """What a command prints and complains of."""
    out, err = io.StringIO(), io.StringIO()
    complaint = ""
    try:
        call_command(*command, stdout=out, stderr=err)
    except CommandError as error:
        complaint = str(error)
    except SystemExit as ended:
        # A plan with something to do.
        complaint = f"ended with {ended.code}"
    return f"{out.getvalue()}\n{err.getvalue()}\n{complaint}"


def planned(*export: str) -> str:
    """What a plan says of an export in which each job has new secrets, and another job's where they are sealed."""
    whole = yaml.safe_load(told("jobs", *export).strip())
    infos = [job["arguments"]["jobServiceInfo"] for job in whole["jobs"] if job["kind"] == "voltmx"]
    headers = [info["requestheaderMap"] for info in infos]
    if "--secrets" in export:
        headers = headers[1:] + headers[:1]
    for info, sent in zip(infos, headers, strict=True):
        info["requestheaderMap"] = {**sent, "X-Secret-Key": plain("header-key")}
        info["queryParams"] = SECRETIVE["queryParams"]
        info["authentication"] = SECRETIVE["authentication"]
    with NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        # YAML too, and without references to what is there twice.
        json.dump(whole, file)
        file.flush()
        return told("jobs", "plan", file.name)
