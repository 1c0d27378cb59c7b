"""An execution: one due instant of a job and what became of it. ``scheduler.executions`` and the clock write it."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from scheduler.models.job import Job


class Status(models.IntegerChoices):
    """Where a run is. The first two are open, the rest are final."""

    QUEUED = 0, "queued"
    RUNNING = 1, "running"
    SUCCEEDED = 2, "succeeded"
    WARNED = 3, "warned"
    FAILED = 4, "failed"
    SKIPPED = 5, "skipped"
    CANCELLED = 6, "cancelled"

    @property
    def is_open(self) -> bool:
        return self in OPEN


OPEN = (Status.QUEUED, Status.RUNNING)
ENDED = (Status.SUCCEEDED, Status.WARNED, Status.FAILED, Status.CANCELLED)


class Trigger(models.IntegerChoices):
    """What asked for the run."""

    SCHEDULE = 0, "schedule"
    MANUAL = 1, "run now"
    MISFIRE = 2, "misfire"


class Reason(models.TextChoices):
    """Why a due instant did not run."""

    OVERLAP = "overlap", "an earlier run was not finished"
    COALESCED = "coalesced", "late; one run stands for several instants"
    MISSED = "missed", "late by more than the grace"
    EXPIRED = "expired", "not started in time"
    CALENDAR = "calendar", "a day on which the job does not run"


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """Executions, asked for the way callers speak of them."""

    def of(self, job: Job) -> ExecutionQuerySet:
        return self.filter(job=job)

    def open(self) -> ExecutionQuerySet:
        return self.filter(status__in=OPEN)

    def runs(self) -> ExecutionQuerySet:
        """Those that ran or will: skipped, coalesced and missed instants have no number."""
        return self.filter(number__isnull=False)

    def history(self) -> ExecutionQuerySet:
        """Ended runs that the job's history strategy shows."""
        return self.filter(number__isnull=False, status__in=ENDED, visible=True)

    def newest_first(self) -> ExecutionQuerySet:
        return self.order_by("-number")

    def oldest_first(self) -> ExecutionQuerySet:
        return self.order_by("number")


class Execution(models.Model):
    """One due instant (or one request to run now) and its recorded state.

    A row with ``until`` stands for several instants, ``scheduled_for`` the first and ``until`` the last of them:
    only skipped rows of long outages do.
    """

    id = models.BigAutoField(primary_key=True)
    # Without a constraint: a deleted job is gone at once, and what it left is removed in batches (``Removal``). Rows
    # are only inserted with the job's state row locked.
    job = models.ForeignKey(Job, models.CASCADE, related_name="executions", db_index=False, db_constraint=False)
    number = models.BigIntegerField(null=True, help_text="1, 2, … per job; null where nothing ran.")
    trigger = models.PositiveSmallIntegerField(choices=Trigger.choices, default=Trigger.SCHEDULE)
    scheduled_for = models.DateTimeField()
    until = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=16, choices=Reason.choices, null=True)
    frequency = models.CharField(max_length=1024, null=True, help_text="The schedule in force when it fired.")
    queue = models.CharField(max_length=64)
    priority = models.PositiveSmallIntegerField(default=5)
    concurrency_key = models.CharField(
        max_length=255, default="", help_text="Set where a limit on runs with this key was in force."
    )

    created_at = models.DateTimeField(db_default=Now(), help_text="When the clock claimed it.")
    ready_at = models.DateTimeField(null=True, help_text="Not before this; null while held behind another run.")
    publish_at = models.DateTimeField(null=True, help_text="When to publish it (again) if nobody has taken it.")
    in_line = models.BooleanField(
        default=False, db_default=False, help_text="Queued above its concurrency limit, until a run with its key ends."
    )
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="When retention deletes it.")

    attempt = models.PositiveSmallIntegerField(default=0, help_text="How often a worker has started it.")
    rescues = models.PositiveSmallIntegerField(default=0, help_text="How often its worker was lost.")
    token = models.BigIntegerField(null=True, help_text="Fencing token of the worker that holds it.")
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=255, null=True)
    cancel_requested = models.BooleanField(default=False)
    requested_by = models.CharField(max_length=254, null=True)
    request_id = models.CharField(max_length=64, null=True)
    arguments = models.JSONField(null=True, help_text="Arguments of this run alone; null means the job's.")
    progress_done = models.PositiveIntegerField(null=True)
    progress_total = models.PositiveIntegerField(null=True)

    messages = models.JSONField(default=list)
    visible = models.BooleanField(default=True)
    complete = models.BooleanField(default=False, help_text="Request and response were recorded.")

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "scheduled_for"],
                condition=Q(trigger__in=(0, 2)),
                name="execution_fires_once",
            ),
            models.UniqueConstraint(fields=["job", "number"], name="execution_job_number"),
            models.CheckConstraint(
                condition=Q(status=5, number__isnull=True, reason__isnull=False)
                | Q(status=5, number__isnull=False, reason="expired")
                | (~Q(status=5) & Q(number__isnull=False, reason__isnull=True)),
                name="execution_skipped_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(status=1, token__isnull=False, lease_until__isnull=False, started_at__isnull=False)
                | (~Q(status=1) & Q(token__isnull=True, lease_until__isnull=True)),
                name="execution_running_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(status__in=(0, 1), ended_at__isnull=True) | Q(status__gte=2, ended_at__isnull=False),
                name="execution_ended_has_end",
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(status=5, until__gte=F("scheduled_for")),
                name="execution_span_is_skipped",
            ),
        ]
        indexes = [
            models.Index(fields=["publish_at"], name="execution_queued", condition=Q(status=0)),
            models.Index(fields=["lease_until"], name="execution_leases", condition=Q(status=1)),
            models.Index(fields=["job"], name="execution_open", condition=Q(status__lt=2)),
            models.Index(
                fields=["concurrency_key", "priority", "id"],
                name="execution_in_line",
                condition=Q(status=0, in_line=True),
            ),
            models.Index(fields=["job", "number"], name="execution_held", condition=Q(status=0, ready_at__isnull=True)),
            models.Index(
                fields=["concurrency_key"],
                name="execution_limited",
                condition=Q(status=1) & ~Q(concurrency_key=""),
            ),
            models.Index(fields=["job", "until"], name="execution_spans", condition=Q(until__isnull=False)),
            models.Index(fields=["expires_at"], name="execution_expiry", condition=Q(expires_at__isnull=False)),
        ]
        permissions = [("cancel_execution", "Can cancel a run")]

    def __str__(self) -> str:
        return f"execution {self.number if self.number is not None else '-'} of job {self.job_id}"

    @property
    def duration(self) -> timedelta | None:
        """How long the last attempt took; None unless it started and ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at

    @property
    def duration_ms(self) -> int | None:
        """``duration`` in whole milliseconds."""
        duration = self.duration
        return None if duration is None else duration // timedelta(milliseconds=1)


class Payload(models.Model):
    """Request and response of a run whose history is complete."""

    execution = models.OneToOneField(Execution, models.CASCADE, primary_key=True, related_name="payload")
    request = models.JSONField(null=True)
    response = models.JSONField(null=True)
    truncated = models.BooleanField(default=False, help_text="Something was cut off at the size limit.")

    def __str__(self) -> str:
        return f"payload of execution {self.execution_id}"


class Attempt(models.Model):
    """An attempt of a run that was followed by another; the last attempt is the execution itself."""

    execution = models.ForeignKey(Execution, models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=255, null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    message = models.TextField()
    retry_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "number"], name="attempt_number_unique"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of execution {self.execution_id}"
