"""``manage.py jobs``: list, show, run, pause and resume jobs, read their history, keep them in files."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.text import Text

from scheduler import clock, jobs
from scheduler.cli import applying, documents, entries, exporting, files, planning, progress, records, tables
from scheduler.cli.following import follow
from scheduler.cli.locating import locate
from scheduler.cli.planning import Plan
from scheduler.cli.problems import Problem, Refused
from scheduler.exceptions import SchedulerError
from scheduler.models import Execution, Job, Status

FAILED, CHANGES = 1, 2
_JOB = "kind/number, kind/name, or a name that only one job has"
_WIDE = 240
_LISTED, _RUNS, _SHOWN_RUNS, _FIRES = 100, 20, 5, 5
_GOOD = (Status.SUCCEEDED, Status.WARNED)


class Parser(CommandParser):
    """Ends with 1 where the arguments are wrong: 2 is what ``plan`` says when there is something to do."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        super().exit(min(status, FAILED), message)


class Command(BaseCommand):
    """One subcommand per verb; each is a method of the same name."""

    help = "List, show, run, pause and resume jobs, read their history, keep them in files. Exit codes: docs/cli.md."
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Return the parser, with exit codes of our own."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = Parser
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=Parser)
        whom = Parser(add_help=False)
        whom.add_argument("--by", help="who is recorded as the author; your user name on this machine unless given")
        machine = Parser(add_help=False)
        machine.add_argument("--json", action="store_true", help="print JSON")

        listed = verbs.add_parser("list", help="list jobs by kind and number", parents=[machine])
        listed.add_argument("--kind")
        listed.add_argument("--search", metavar="TEXT", help="only jobs with this in their name")
        state = listed.add_mutually_exclusive_group()
        state.add_argument("--active", dest="active", action="store_true", default=None)
        state.add_argument("--paused", dest="active", action="store_false")
        listed.add_argument("--failed", action="store_true", help="only jobs whose last run failed")
        listed.add_argument("--limit", type=_count, default=_LISTED, help="0: all (default: %(default)s)")

        shown = verbs.add_parser("show", help="show a job, its next fires and its latest runs", parents=[machine])
        shown.add_argument("job", help=_JOB)

        run = verbs.add_parser("run", help="run a job now", parents=[whom, machine])
        run.add_argument("job", help=_JOB)
        run.add_argument(
            "--arguments", metavar="JSON", help="for this run in the place of the job's; @FILE reads a file"
        )
        run.add_argument("--wait", action="store_true", help="until it has ended; exit with 1 where it did not succeed")
        run.add_argument("--timeout", type=_count, metavar="SECONDS", help="wait no longer than this")

        for verb, told in (("pause", "pause jobs"), ("resume", "let paused jobs fire again")):
            switch = verbs.add_parser(verb, help=told, parents=[whom])
            switch.add_argument("jobs", nargs="+", metavar="job", help=_JOB)

        history = verbs.add_parser("history", help="list a job's runs, the newest first", parents=[machine])
        history.add_argument("job", help=_JOB)
        history.add_argument("--limit", type=_count, default=_RUNS, help="0: all (default: %(default)s)")
        history.add_argument("--skipped", action="store_true", help="instants that did not run too")

        export = verbs.add_parser("export", help="write jobs as YAML")
        export.add_argument("jobs", nargs="*", metavar="job", help=f"{_JOB}; all jobs unless given")
        export.add_argument("--kind", help="only jobs of this kind")
        export.add_argument("--file", help="where to; standard output unless given")
        export.add_argument("--secrets", action="store_true", help="encrypted, as stored, rather than as asterisks")
        export.add_argument("--no-numbers", dest="numbers", action="store_false", help="leave the jobs' numbers out")

        for verb, told in (("plan", "tell what apply would do"), ("apply", "make jobs what a file says, all or none")):
            plan = verbs.add_parser(verb, help=told, parents=[whom] if verb == "apply" else [])
            plan.add_argument("file", help="YAML; - for standard input")
            plan.add_argument(
                "--prune", action="store_true", help="delete jobs of the file's kinds that it does not name"
            )
            plan.add_argument("--skip-ended", action="store_true", help="leave out new jobs that would never fire")
            if verb == "apply":
                plan.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        """Do what the verb says. Raises ``CommandError`` with every problem, a line each."""
        self.stdout.ending = ""
        width = None if self.stdout.isatty() else _WIDE
        self.console = Console(file=self.stdout, width=width, highlight=False, soft_wrap=False)  # type: ignore[arg-type]
        method: Callable[[Mapping[str, Any]], None] = getattr(self, f"do_{verb}")
        try:
            method(options)
        except BrokenPipeError:
            # Who reads us has enough (head, a pager that was left); nothing more can be said there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)
        except Refused as refusal:
            raise CommandError("\n".join(str(problem) for problem in refusal.problems)) from None
        except SchedulerError as refusal:
            raise CommandError(str(refusal)) from None

    # -- Reading -----------------------------------------------------------------------------------------------------

    def do_list(self, options: Mapping[str, Any]) -> None:
        rows = Job.objects.with_state().order_by("kind", "number")
        wanted = {
            "kind": options["kind"],
            "active": options["active"],
            "name__icontains": options["search"],
            "state__last_status": Status.FAILED if options["failed"] else None,
        }
        rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
        limit = options["limit"]
        if options["json"]:
            self._print_json(records.job_records(rows[:limit] if limit else rows.iterator(chunk_size=500)))
            return
        found = list(records.job_records(rows[: limit + 1] if limit else rows))
        self.console.print(tables.jobs_table(found[:limit] if limit else found))
        if limit and len(found) > limit:
            self.console.print(Text(f"and {rows.count() - limit} more; --limit 0 lists all"))

    def do_show(self, options: Mapping[str, Any]) -> None:
        job = locate(options["job"])
        details = records.job_details(job, calendars=entries.calendar_names(), now=clock.now(), fires=_FIRES)
        runs = [records.run_record(run) for run in _runs(job)[:_SHOWN_RUNS]]
        if options["json"]:
            self._say(json.dumps({**details, "latest_runs": runs}, ensure_ascii=False, indent=2))
            return
        tables.print_details(self.console, details, runs)

    def do_history(self, options: Mapping[str, Any]) -> None:
        job, limit = locate(options["job"]), options["limit"]
        rows = _runs(job)
        if options["skipped"]:
            rows = records.recorded(job, limit=limit)
        else:
            rows = rows[:limit] if limit else rows.iterator(chunk_size=500)
        found = map(records.run_record, rows)
        if options["json"]:
            self._print_json(found)
            return
        self.console.print(tables.runs_table(found))

    # -- Doing -------------------------------------------------------------------------------------------------------

    def do_run(self, options: Mapping[str, Any]) -> None:
        job = locate(options["job"])
        run = jobs.run_now(job, by=_author(options), arguments=_arguments(options["arguments"]))
        if options["wait"] and run.status != Status.SKIPPED:
            limit = options["timeout"]
            waiting = Console(stderr=True)
            run = follow(run, console=waiting, limit=None if limit is None else timedelta(seconds=limit))
        record = records.run_record(run)
        if options["json"]:
            self._say(json.dumps({"kind": job.kind, "job": job.number, **record}, ensure_ascii=False))
        else:
            number = "a run" if run.number is None else f"run {run.number}"
            told = "".join(f"\n  {message}" for message in record["messages"])
            why = f": {run.get_reason_display()}" if run.reason else ""
            self.console.print(Text(f"{number} of {job.kind}/{job.number} is {record['status']}{why}{told}"))
        good = run.status in _GOOD if options["wait"] else run.status != Status.SKIPPED
        if not good:
            sys.exit(FAILED)

    def do_pause(self, options: Mapping[str, Any]) -> None:
        self._switch(options, active=False)

    def do_resume(self, options: Mapping[str, Any]) -> None:
        self._switch(options, active=True)

    def _switch(self, options: Mapping[str, Any], *, active: bool) -> None:
        found = [locate(text) for text in options["jobs"]]
        for job in found:
            words = "active" if active else "paused"
            if job.active == active:
                self.console.print(Text(f"{job.kind}/{job.number} {job.name} was {words} already"))
                continue
            (jobs.activate if active else jobs.deactivate)(job, by=_author(options))
            self.console.print(Text(f"{job.kind}/{job.number} {job.name} is {words}"))

    # -- Files -------------------------------------------------------------------------------------------------------

    def do_export(self, options: Mapping[str, Any]) -> None:
        pieces = exporting.pieces(
            [locate(name) for name in options["jobs"]] or None,
            kind=options["kind"],
            sealed=options["secrets"],
            numbers=options["numbers"],
        )
        if options["file"] is not None:
            files.write(options["file"], pieces, private=options["secrets"])
            return
        for piece in pieces:
            self.stdout.write(piece)

    def do_plan(self, options: Mapping[str, Any]) -> None:
        plan = _planner(options)()
        tables.print_plan(self.console, plan)
        if plan.steps:
            sys.exit(CHANGES)

    def do_apply(self, options: Mapping[str, Any]) -> None:
        again = _planner(options)
        plan = again()
        tables.print_plan(self.console, plan)
        if not plan.steps:
            return
        if not options["yes"]:
            self._confirm(options["file"])
        with progress.bar(len(plan.steps), console=Console(stderr=True)) as told:
            done = applying.apply(plan, again=again, by=_author(options), told=told)
        self.console.print(Text("done: " + ", ".join(f"{count} {verb}d" for verb, count in done.items())))

    def _confirm(self, file: str) -> None:
        if file == "-" or not sys.stdin.isatty():
            raise Refused(Problem(0, "nobody can be asked here; --yes does it"))
        self.console.print(Text("Do this? Only 'yes' does it: "), end="")
        if input() != "yes":
            raise Refused(Problem(0, "nothing was written"))

    # -- Saying ------------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.stdout.write(f"{text}\n")

    def _print_json(self, found: Any) -> None:
        """Print a JSON list, a line each, without holding it."""
        before = "["
        for record in found:
            self._say(before if before == "[" else ",")
            self.stdout.write(json.dumps(record, ensure_ascii=False))
            before = ","
        self._say("[]" if before == "[" else "\n]")


def _planner(options: Mapping[str, Any]) -> Callable[[], Plan]:
    """Return what makes the plan of a file, as often as it is asked."""
    read = documents.read_file(files.read(options["file"]))

    def make() -> Plan:
        now = clock.now()
        wanted = entries.read_all(read, today=now.date())
        return planning.make(wanted, prune=options["prune"], skip_ended=options["skip_ended"], now=now)

    return make


def _runs(job: Job) -> Any:
    return Execution.objects.of(job).runs().filter(visible=True).newest_first()


def _author(options: Mapping[str, Any]) -> str:
    if options["by"]:
        return str(options["by"])[:254]
    try:
        return getpass.getuser()[:254]
    except (OSError, KeyError):  # a container's user without a name
        return "command line"


def _arguments(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        whole = Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
        value = json.loads(whole)
    except OSError as error:
        raise Refused(Problem(0, f"{text[1:]} cannot be read: {error.strerror}")) from None
    except (ValueError, RecursionError):
        raise Refused(Problem(0, "--arguments must be JSON")) from None
    if not isinstance(value, dict):
        raise Refused(Problem(0, "--arguments must be a JSON object"))
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)
