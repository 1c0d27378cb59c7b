"""Job types: what the surfaces teach the core to run.

A surface has a module named ``job_type`` that registers its type; ``autodiscover`` imports them when Django starts.
The core stores the kind and plain JSON arguments, and finds the code here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from scheduler.exceptions import UnknownJobType
from scheduler.models.execution import Status

if TYPE_CHECKING:
    from scheduler.models.execution import Execution
    from scheduler.schedule import Schedule


class RunCancelled(Exception):
    """The run is to stop: it was cancelled, it passed its time limit, or its worker lost the lease."""


class NotTold(Exception):
    """Somebody could not be told of the end of a run, for a reason that the message gives; it is tried again."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    ``status`` is SUCCEEDED, WARNED or FAILED; ``messages`` are sentences for people; ``request`` and ``response`` are
    JSON-ready values that history may keep, with secrets masked already. ``retryable`` matters for FAILED only.
    ``interrupted`` says that it is retryable because its worker stopped: that is the core's to say.
    """

    status: Status
    messages: tuple[str, ...] = ()
    request: Any = None
    response: Any = None
    retryable: bool = False
    interrupted: bool = False


@dataclass(frozen=True)
class Link:
    """A page about an execution, shown to those who have ``permission`` (``app.codename``)."""

    title: str
    url: str
    permission: str


class RunContext(Protocol):
    """What a job type may know of its run and do while it runs. Every method may be called from any thread."""

    execution_id: int
    job_pk: int
    job_number: int
    job_name: str
    number: int
    attempt: int
    token: int
    scheduled_for: datetime
    started_at: datetime

    @property
    def cancelled(self) -> bool:
        """True once the run is to stop."""

    @property
    def seconds_left(self) -> float:
        """Seconds until the time limit, never negative."""

    def check(self) -> None:
        """Raise ``RunCancelled`` once the run is to stop. Long work calls it between steps."""

    def on_cancel(self, action: Callable[[], None]) -> None:
        """Call ``action`` (from another thread) once the run is to stop: close a socket, kill a process."""

    def progress(self, done: int, total: int) -> None:
        """Tell how far the run is; written with the next heartbeat."""


class JobType(Protocol):
    """What a surface supplies for one kind of job."""

    kind: str
    title: str
    queue: str
    unique_names: bool

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise ``InvalidJob`` unless ``arguments`` can be stored."""

    def check_schedule(self, schedule: Schedule) -> None:
        """Raise ``InvalidSchedule`` unless a job of this kind may have ``schedule``, which can be read."""

    def check_together(self, arguments: Mapping[str, Any], schedule: Schedule) -> None:
        """Raise ``InvalidJob`` unless ``arguments``, which ``check`` has passed, go with ``schedule``."""

    def stored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``arguments``, which ``check`` has passed, as rows keep them: secrets encrypted."""

    def run(self, arguments: Mapping[str, Any], context: RunContext) -> Outcome:
        """Do the work, with no transaction open, and return how it ended. May raise ``RunError`` or anything."""

    def masked(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``arguments`` for people to see: secrets replaced."""

    def links(self, execution: Execution) -> Sequence[Link]:
        """Return where else in the console there is something about ``execution``, which has ended."""

    def forget(self, execution_ids: Sequence[int]) -> None:
        """Delete what the type keeps of these executions, inside the caller's transaction."""

    def ended(self, execution: Execution) -> None:
        """Do what follows the end of a run that failed, was cancelled or was not started in time.

        Called in a beat, whatever became of the worker, with no transaction open; ``execution.job`` is loaded. At least
        once for each such end. What it raises (``NotTold``, or anything) has it called again later, a bounded number of
        times, and is then noted with the run.
        """


@runtime_checkable
class Exemplary(Protocol):
    """A job type that shows people what its arguments look like; no type has to."""

    example: Mapping[str, Any]


@dataclass
class Registry:
    """Kind -> job type."""

    _types: dict[str, JobType] = field(default_factory=dict)

    def register(self, job_type: JobType) -> None:
        """Add ``job_type``; a kind registered twice is the last one's (reloads, tests)."""
        self._types[job_type.kind] = job_type

    def unregister(self, kind: str) -> None:
        self._types.pop(kind, None)

    def get(self, kind: str) -> JobType:
        """Return the type of ``kind``. Raises ``UnknownJobType``."""
        try:
            return self._types[kind]
        except KeyError:
            raise UnknownJobType(f"no job type {kind!r}; known: {', '.join(sorted(self._types)) or 'none'}") from None

    def all(self) -> Iterable[JobType]:
        return tuple(self._types.values())


_registry = Registry()
register = _registry.register
unregister = _registry.unregister
get = _registry.get
all_types = _registry.all


def autodiscover() -> None:
    """Import the module ``job_type`` of every installed application that has one."""
    from django.utils.module_loading import autodiscover_modules

    autodiscover_modules("job_type")
