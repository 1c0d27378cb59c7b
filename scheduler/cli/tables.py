"""Jobs, runs and plans as rich draws them. Texts of users are never read as markup."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scheduler.cli.documents import write
from scheduler.cli.planning import Plan
from scheduler.cli.steps import AnyStep, Verb
from scheduler.console.words import NOTHING, duration
from scheduler.models import Reason

_STYLES = {
    "succeeded": "green",
    "warned": "yellow",
    "failed": "red",
    "cancelled": "magenta",
    "skipped": "bright_black",
    "running": "cyan",
    "queued": "blue",
}
_MARKS = {Verb.CREATE: ("+", "green"), Verb.UPDATE: ("~", "yellow"), Verb.DELETE: ("-", "red")}
_LONGEST = 200


def jobs_table(records: Iterable[Mapping[str, Any]]) -> Table:
    """Return the table of ``records.job_record``."""
    table = _table("Job", "Name", "Schedule", "Next fire (UTC)", "Last run", "Ended (UTC)", "Runs", "Failed")
    for record in records:
        table.add_row(
            Text(f"{record['kind']}/{record['number']}", style="" if record["active"] else "bright_black"),
            Text(_clean(record["name"])),
            Text(_clean(f"{record['schedule']} {'' if record['zone'] == 'UTC' else record['zone']}".strip())),
            Text(_next_fire(record)),
            status(record["last_status"]),
            Text(instant(record["last_ended_at"])),
            Text(str(record["runs"])),
            Text(str(record["failed"]), style="red" if record["failed"] else ""),
        )
    return table


def _next_fire(record: Mapping[str, Any]) -> str:
    if not record["active"]:
        return "paused"
    fire = instant(record["next_fire_at"])
    return fire if record["closed_by"] is None else f"{fire}, closed by {_clean(record['closed_by'])}"


def runs_table(records: Iterable[Mapping[str, Any]]) -> Table:
    """Return the table of ``records.run_record``."""
    table = _table("Run", "Status", "Trigger", "Due (UTC)", "Started (UTC)", "Took", "Attempt", "Said")
    for record in records:
        took = record["duration_ms"]
        table.add_row(
            Text(NOTHING if record["number"] is None else str(record["number"])),
            status(record["status"]),
            Text(str(record["trigger"])),
            Text(instant(record["scheduled_for"])),
            Text(instant(record["started_at"])),
            Text(NOTHING if took is None else duration(timedelta(milliseconds=took))),
            Text(str(record["attempt"])),
            Text(_clean("; ".join([*_why_not(record), *record["messages"]]))),
        )
    return table


def _why_not(record: Mapping[str, Any]) -> list[str]:
    if record["reason"] is None:
        return []
    until = "" if record["until"] is None else f", and all up to {instant(record['until'])}"
    return [f"{Reason(record['reason']).label}{until}"]


def print_details(console: Console, details: Mapping[str, Any], runs: Iterable[Mapping[str, Any]]) -> None:
    """Print a job: what it is, how it has been going, when it comes next, its latest runs."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text("job", style="bold"), Text(f"{details['kind']}/{details['number']} {_clean(details['name'])}"))
    for label, name in (("state", "active"), ("next", "next_fires"), ("updated", "updated_at")):
        value = details[name]
        if name == "active":
            value = "active" if value else "paused"
        elif name == "next_fires":
            value = ", ".join(instant(fire) for fire in value) or NOTHING
        else:
            value = f"{instant(value)} by {details['updated_by']}"
        grid.add_row(Text(label, style="bold"), Text(_clean(value)))
    counted = (f"{details[name]} {name}" for name in ("runs", "succeeded", "warned", "failed"))
    grid.add_row(Text("history", style="bold"), Text(", ".join(counted)))
    console.print(grid)
    definition = details["definition"]
    console.print(
        Text(f"\n{write(definition)}" if definition else "\nno application knows this kind of job any more\n")
    )
    console.print(runs_table(runs))


def print_plan(console: Console, plan: Plan) -> None:
    """Print what a plan would do, step by step, and the sum of it."""
    for step in plan.steps:
        mark, style = _MARKS[step.verb]
        console.print(Text(f"{mark} {_clean(step.label)}", style=f"bold {style}"))
        for path, pair in step.changes.items():
            console.print(_change(step, path, *pair))
    for name in plan.ended:
        console.print(Text(f"  left out, as it would never fire: {_clean(name)}", style="bright_black"))
    counts = {verb: sum(step.verb is verb for step in plan.steps) for verb in Verb}
    said = [f"{counts[verb]} to {verb}" for verb in Verb if counts[verb]]
    console.print(Text(", ".join([*said, f"{plan.unchanged} unchanged"]) if said else _nothing(plan)))


def _nothing(plan: Plan) -> str:
    return f"nothing to do: {plan.unchanged} unchanged"


def _change(step: AnyStep, path: str, before: Any, after: Any) -> Text:
    line = Text(f"    {_clean(path)}: ")
    if step.verb is Verb.UPDATE:
        line.append(_value(before), style="red").append(" -> ")
    return line.append(_value(after), style="green")


def status(label: str | None) -> Text:
    """Return a status in its colour."""
    return Text(NOTHING if label is None else label, style=_STYLES.get(label or "", ""))


def instant(text: str | None) -> str:
    """Return an ISO 8601 instant to the second, without its zone."""
    return NOTHING if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _value(value: Any) -> str:
    if value is None:
        return NOTHING
    return _clean(json.dumps(value, ensure_ascii=False), longest=_LONGEST)


def _clean(text: str, *, longest: int = 10_000) -> str:
    """Return a text that cannot move the terminal's cursor, cut off where it is too long."""
    safe = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:longest]
    )
    return f"{safe}…" if len(text) > longest else safe


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = column in ("Runs", "Failed", "Run", "Attempt", "Took")
        table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=column == "Job")
    return table
