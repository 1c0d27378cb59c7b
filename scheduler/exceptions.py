"""What the core refuses, and why.

    SchedulerError
    ├── JobNotFound            no such job
    ├── NumberTaken            a job of this kind has that number already
    ├── NameTaken              a job of this kind has that name already
    ├── InvalidJob             a definition that cannot be stored (carries field -> problem)
    │   ├── InvalidSchedule    the schedule cannot be read
    │   └── NeverFires         the schedule can be read, but no instant lies ahead of it
    ├── UnknownJobType         no surface has registered this kind
    ├── InvalidCalendar        a calendar that cannot be stored (carries field -> problem)
    ├── CalendarInUse          a calendar that jobs go by cannot be deleted
    └── RunError               a run failed for a reason its job type knows (carries ``retryable``)

Surfaces turn these into their vendor's words in one module each.
"""

from __future__ import annotations


class SchedulerError(Exception):
    """Something the core refuses."""


class JobNotFound(SchedulerError):
    """There is no such job."""


class NumberTaken(SchedulerError):
    """A job of this kind has that number already."""


class NameTaken(SchedulerError):
    """A job of this kind has that name already."""


class InvalidJob(SchedulerError):
    """A job definition cannot be stored.

    ``field`` is the core's name of the offending field, ``problem`` one sentence about it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


class InvalidSchedule(InvalidJob):
    """A schedule cannot be read: bad expression, unknown zone, or no schedule at all."""


class NeverFires(InvalidJob):
    """A schedule can be read, but no instant of it lies ahead."""


class UnknownJobType(SchedulerError):
    """No installed application has registered this kind of job."""


class InvalidCalendar(SchedulerError):
    """A calendar cannot be stored; ``field`` and ``problem`` as in ``InvalidJob``."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


class CalendarInUse(SchedulerError):
    """A calendar cannot be deleted: jobs go by it."""


class RunError(SchedulerError):
    """A run failed for a reason its job type knows.

    ``retryable`` tells whether trying again may help: refused connections, time-outs, HTTP 429 and 502 to 504 do,
    other 4xx answers and broken models do not. ``request`` and ``response`` are what history may keep of the attempt.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        request: object | None = None,
        response: object | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.request = request
        self.response = response
