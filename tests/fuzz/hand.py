"""One hand of the fuzzer: a process that makes requests, sends them one after the other and judges the answers."""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.wire import Answer, NoAnswer, Sent, Wire

SURFACES = ("voltmx", "zementis", "core", "admin")
# How many of a hundred requests go where.
_SHARES = {"voltmx": 40, "zementis": 48, "core": 4, "admin": 8}
# How many of a hundred to an API are made how: fitting, unfitting and at the edges by schemathesis, raw by hypothesis.
_WAYS = {"fitting": 12, "unfitting": 8, "edges": 20, "raw": 60}
# Requests that hypothesis makes before the next operation has its turn.
_BATCH = 25
_LOOK_EVERY = 150
# Operations that empty a whole table, or that cost a process each, have their turn more rarely.
_SELDOM = {
    **dict.fromkeys(("zementis_delete_jobs", "zementis_delete_models", "zementis_delete_onnx_models"), 0.02),
    "platform_delete_measurements": 0.1,
}


@dataclass(frozen=True)
class Task:
    """What a hand has to do."""

    number: int
    seed: int
    requests: int
    surfaces: tuple[str, ...]
    host: str
    port: int
    patience: float
    # When to stop though fewer requests were sent, by the clock of all processes; None: never.
    until: float | None = None


@dataclass
class Tally:
    """What came of it."""

    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: dict[str, list[str]] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    lost: int = 0
    unsendable: int = 0
    short: int = 0
    without: set[str] = field(default_factory=set)

    def merge(self, other: Tally) -> None:
        """Add what another found."""
        for name in ("sent", "statuses", "answers", "found"):
            getattr(self, name).update(getattr(other, name))
        for key, examples in other.findings.items():
            self.findings.setdefault(key, []).extend(examples)
        self.slowest = max(self.slowest, other.slowest)
        self.lost += other.lost
        self.unsendable += other.unsendable
        self.short += other.short
        self.without |= other.without

    def find(self, problem: str, sent: Sent, told: str) -> None:
        """Note a problem with the request that showed it; of one kind three examples are kept."""
        key = f"{sent.label}: {problem}"[:400]
        self.found[key] += 1
        examples = self.findings.setdefault(key, [])
        if not examples:
            print(f"found {key}", file=sys.stderr, flush=True)
        if len(examples) < 3:
            examples.append(f"{sent.told()} -> {told}"[:1800])


def work(task: Task) -> Tally:
    """Send a task's requests; runs in a process of its own."""
    import django

    warnings.simplefilter("ignore")
    django.setup()
    try:
        return Hand(task).run()
    except Exception:
        # Not every exception survives the way back.
        raise RuntimeError(traceback.format_exc()) from None


class Hand:
    """See the module."""

    def __init__(self, task: Task) -> None:
        from tests.fuzz.console import Console
        from tests.fuzz.people import Known, Purse
        from tests.fuzz.raw_requests import Maker
        from tests.fuzz.schema_cases import Cases
        from tests.fuzz.verdict import Contract

        self._task = task
        self._chance = random.Random(f"hand {task.seed} {task.number}")
        self._wire = Wire(task.host, task.port, patience=max(30.0, 3 * task.patience))
        self._known, self._purse = Known(), Purse()
        self._tally = Tally()
        self._until_look = 0
        document = self._document()
        self._contract = Contract(document, patience=task.patience)
        self._cases = Cases(document, known=self._known)
        self._maker = Maker(self._known, self._purse)
        self._console = Console(self._known, self._purse, self._ask)
        self._edges: dict[str, Iterator[Any]] = {}
        self._began = time.monotonic()

    def run(self) -> Tally:
        """Send all requests and return what came of them."""
        surfaces = [surface for surface in self._task.surfaces for _ in range(_SHARES[surface])]
        ways = [way for way, share in _WAYS.items() for _ in range(share)]
        told = 0
        until = self._task.until or float("inf")
        while (done := self._tally.statuses.total()) < self._task.requests and time.time() < until:
            surface = self._chance.choice(surfaces)
            if surface == "admin":
                self._batch(self._console.strategy(), self._console_request)
            elif (way := self._chance.choice(ways)) == "raw" or (surface == "core" and self._chance.random() < 0.5):
                self._batch(self._maker.strategy(surface), self._ask)
            else:
                self._described(surface, way)
            if done // 2000 > told:
                told = done // 2000
                rate = done / (time.monotonic() - self._began)
                print(f"hand {self._task.number}: {done:,} requests, {rate:.0f}/s", file=sys.stderr, flush=True)
        self._wire.close()
        return self._tally

    def _document(self) -> dict[str, Any]:
        """Return the OpenAPI document that the server serves."""
        who = self._purse.headers("zementis", "root", token=False)
        answer = self._wire.send(Sent("GET", "/api/schema?format=json", who))
        assert answer is not None and answer.status == 200, answer
        document: dict[str, Any] = json.loads(answer.body)
        return document

    def _described(self, surface: str, way: str) -> None:
        """Let schemathesis make requests of one operation."""
        operations = [each for each in self._contract.operations if each.surface == surface]
        operation = self._chance.choice(operations)
        if self._chance.random() > _SELDOM.get(operation.id, 1.0):
            return

        def ask(case: Any) -> None:
            sent = self._cases.sent(case, operation, self._chance)
            if sent is None:
                self._tally.unsendable += 1
                return
            # Making a case costs more than asking: two ask the same, of whom mostly one may.
            for _ in range(2):
                self._ask(self._known_to(sent, surface, operation.id))

        if way == "edges":
            self._ask_edges(operation, ask)
            return
        try:
            strategy = self._cases.strategy(operation, fitting=way == "fitting")
            self._batch(strategy, ask)
        except Exception as error:
            if type(error).__name__ not in ("Unsatisfiable", "InvalidArgument"):
                raise
            self._tally.without.add(f"{way} {operation.method} {operation.path}: {error}"[:160])

    def _ask_edges(self, operation: Any, ask: Callable[[Any], None]) -> None:
        cases = self._edges.get(operation.id)
        if cases is None:
            cases = self._edges[operation.id] = self._cases.edges(operation)
        for _ in range(_BATCH):
            case = next(cases, None)
            if case is None:
                # All seen: from the beginning, at something else that is there.
                del self._edges[operation.id]
                return
            ask(case)

    def _known_to(self, sent: Sent, surface: str, operation: str) -> Sent:
        """Add who asks."""
        from tests.fuzz.people import WEIGHTS

        name = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if operation == "voltmx_refresh":
            return sent.with_headers(("Authorization", self._purse.refresh_token("viewer")))
        shown = self._purse.headers(surface, name, token=self._chance.random() < 0.3)
        if operation == "voltmx_logout":
            self._purse.drop(name)
        return sent.with_headers(*shown)

    def _batch(self, strategy: Any, ask: Callable[[Any], object]) -> None:
        from hypothesis import HealthCheck, Phase, given, seed, settings
        from hypothesis.errors import Flaky

        @seed(self._chance.randrange(2**32))
        @settings(
            max_examples=_BATCH,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def each(made: Any) -> None:
            ask(made)

        try:
            each()
        except Flaky:
            # What is there changes meanwhile, and with it what can be drawn; the next batch begins anew.
            self._tally.short += 1

    def _console_request(self, sent: Sent) -> None:
        answer = self._ask(sent)
        if answer is None:
            return
        if sent.method == "GET":
            self._console.learn(sent.target, answer)
        if answer.status == 302 and "/admin/login/" in answer.headers.get("location", ""):
            # The session is over: somebody was logged out, deactivated or deleted.
            self._until_look = 0
            self._purse.forget()

    def _ask(self, sent: Sent) -> Answer | None:
        """Send a request, judge the answer, count both, and return the answer."""
        from tests.fuzz import people
        from tests.fuzz.verdict import surface_of

        if self._until_look <= 0:
            people.mend()
            self._known.look()
            self._until_look = _LOOK_EVERY
        self._until_look -= 1
        try:
            answer = self._wire.send(sent)
        except NoAnswer as error:
            self._tally.statuses[0] += 1
            if sent.odd or sent.cut:
                # Nothing obliges a server to answer what is no request; it must still be there for the next one.
                self._tally.lost += 1
            else:
                self._tally.find("no answer", sent, str(error))
            return None
        if answer is None:
            self._tally.lost += 1
            return None
        self._tally.sent[surface_of(sent.target)] += 1
        self._tally.statuses[answer.status] += 1
        self._tally.answers[sent.label, answer.status] += 1
        self._tally.slowest = max(self._tally.slowest, (answer.seconds, f"{sent.label}: {sent.told()}"[:400]))
        for problem in self._contract.problems(sent, answer):
            self._tally.find(problem, sent, f"{answer.status} {answer.body[:500]!r}")
        if answer.status == 401 and not sent.odd:
            self._unknown(sent)
        return answer

    def _unknown(self, sent: Sent) -> None:
        """Somebody was logged out, or the account changed: all credentials anew, now and then."""
        if self._chance.random() < 0.1:
            self._purse.forget()
