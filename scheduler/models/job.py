"""A job: what is to run and when. Only ``scheduler.jobs`` writes these tables, and the clock its own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from scheduler.history import Strategy
from scheduler.misfire import Misfire
from scheduler.overlap import Overlap

if TYPE_CHECKING:
    from scheduler.job_types import JobType


def _choices(enum: Any) -> list[tuple[str, str]]:
    return [(member.value, member.value) for member in enum]


class JobQuerySet(models.QuerySet["Job"]):
    """Jobs, asked for the way callers speak of them."""

    def of_kind(self, kind: str) -> JobQuerySet:
        return self.filter(kind=kind)

    def active(self) -> JobQuerySet:
        return self.filter(active=True)

    def with_state(self) -> JobQuerySet:
        return self.select_related("state")


class Job(models.Model):
    """The definition of a job: cold data, written when somebody edits it."""

    kind = models.CharField(max_length=32, editable=False, help_text="Which job type runs it.")
    number = models.BigIntegerField("id", editable=False, help_text="The id that clients see; unique within the kind.")
    name = models.CharField(max_length=255)
    name_key = models.CharField(
        max_length=255,
        null=True,
        editable=False,
        help_text="The name again where the kind demands unique names, else null.",
    )
    description = models.TextField(null=True, blank=True, max_length=10_000)
    active = models.BooleanField(default=True)

    expression = models.CharField(
        max_length=1024, null=True, blank=True, help_text="Quartz (6 or 7 fields) or Unix (5 fields) expression."
    )
    schedule_text = models.CharField(
        max_length=1024,
        null=True,
        blank=True,
        editable=False,
        help_text="The expression as its author wrote it, where a surface reads it differently.",
    )
    zone = models.CharField(max_length=64, default="UTC", help_text="IANA time zone in which the expression is read.")
    run_at = models.DateTimeField(null=True, blank=True, help_text="The one instant of a job without an expression.")
    starts_at = models.DateTimeField(null=True, blank=True, help_text="No fire before this instant.")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="No fire at or after this instant.")
    calendars = ArrayField(
        models.BigIntegerField(), null=True, blank=True, help_text="Calendars on whose days it does not run."
    )

    misfire = models.CharField(max_length=16, choices=_choices(Misfire), default=Misfire.FIRE_ONCE.value)
    misfire_grace_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="Later than this is a misfire; empty means the setting."
    )
    overlap = models.CharField(max_length=16, choices=_choices(Overlap), default=Overlap.SKIP.value)
    timeout_seconds = models.PositiveIntegerField(null=True, blank=True, help_text="Empty means the setting.")
    max_retries = models.PositiveSmallIntegerField(default=0)
    retry_delay_seconds = models.PositiveIntegerField(
        default=10, help_text="First delay; doubles with every further attempt."
    )
    retry_max_delay_seconds = models.PositiveIntegerField(default=3600)
    priority = models.PositiveSmallIntegerField(default=5, help_text="0 goes first, 9 last.")
    queue = models.CharField(max_length=64, blank=True, default="", help_text="Empty means the queue of the kind.")
    expires_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="A run that has not started this long after it was due is not started."
    )
    headers = models.JSONField(
        default=dict, blank=True, help_text="Extra headers of the Celery message, 2048 bytes at most."
    )
    concurrency_key = models.CharField(
        max_length=255, blank=True, default="", help_text="Runs with the same key share one concurrency limit."
    )

    history_strategy = models.CharField(max_length=8, choices=_choices(Strategy), default=Strategy.MINIMAL.value)
    retention_days = models.PositiveIntegerField(default=30)
    arguments = models.JSONField(default=dict)

    version = models.PositiveIntegerField(default=1, editable=False, help_text="Grows with every edit.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=254, editable=False)
    updated_by = models.CharField(max_length=254, editable=False)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "number"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "number"], name="job_number_unique"),
            models.UniqueConstraint(fields=["kind", "name_key"], name="job_name_unique"),
            models.CheckConstraint(condition=Q(number__gt=0), name="job_number_positive"),
            models.CheckConstraint(condition=~Q(name=""), name="job_name_not_empty"),
            models.CheckConstraint(
                condition=Q(expression__isnull=False, run_at__isnull=True)
                | Q(expression__isnull=True, run_at__isnull=False),
                name="job_has_one_schedule",
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__isnull=True) | Q(starts_at__lt=F("ends_at")),
                name="job_starts_before_it_ends",
            ),
            models.CheckConstraint(condition=Q(priority__lte=9), name="job_priority_0_to_9"),
            models.CheckConstraint(
                condition=Q(retention_days__gte=1, retention_days__lte=3650), name="job_retention_1_to_3650"
            ),
            models.CheckConstraint(
                condition=Q(timeout_seconds__isnull=True) | Q(timeout_seconds__gte=1), name="job_timeout_positive"
            ),
            models.CheckConstraint(
                condition=Q(history_strategy__in=[s.value for s in Strategy]), name="job_history_strategy_known"
            ),
            models.CheckConstraint(condition=Q(misfire__in=[m.value for m in Misfire]), name="job_misfire_known"),
            models.CheckConstraint(condition=Q(overlap__in=[o.value for o in Overlap]), name="job_overlap_known"),
        ]
        indexes = [
            models.Index(fields=["name"], name="job_name"),
            GinIndex(fields=["calendars"], name="job_calendars", condition=Q(calendars__isnull=False)),
        ]
        permissions = [
            ("run_job", "Can run a job now"),
            ("pause_job", "Can pause and resume a job"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} job {self.number} {self.name!r}"

    @property
    def job_type(self) -> JobType:
        """The job type that runs this job."""
        from scheduler import job_types

        return job_types.get(self.kind)

    @property
    def frequency(self) -> str | None:
        """The schedule as its author wrote it; None for a job of one instant."""
        return self.schedule_text or self.expression


class JobState(models.Model):
    """What the clock and the runs change of a job: narrow, hot, updated on every fire and every end.

    Kept apart from ``Job`` so that a fire rewrites a row of a hundred bytes with one index instead of a wide one.
    Its row lock serialises everything that decides about the job: claims, edits, run-now and ends of runs.
    """

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="state")
    next_fire_at = models.DateTimeField(null=True, help_text="Null: nothing will fire (paused, or no fire ahead).")
    recompute = models.BooleanField(
        default=False, help_text="The clock is to work out next_fire_at anew instead of firing."
    )
    last_number = models.BigIntegerField(default=0, help_text="Number of the newest execution.")
    open_runs = models.PositiveIntegerField(default=0, help_text="Executions that are queued, held or running.")
    total_count = models.PositiveBigIntegerField(default=0, help_text="Visible ended runs.")
    success_count = models.PositiveBigIntegerField(default=0)
    warning_count = models.PositiveBigIntegerField(default=0)
    failure_count = models.PositiveBigIntegerField(default=0)
    last_status = models.PositiveSmallIntegerField(null=True, help_text="Status of the run that ended last.")
    last_started_at = models.DateTimeField(null=True)
    last_ended_at = models.DateTimeField(null=True)
    entry = models.OneToOneField(
        "django_celery_beat.PeriodicTask", models.SET_NULL, null=True, related_name="job_state"
    )

    class Meta:
        indexes = [
            models.Index(fields=["next_fire_at"], name="jobstate_due", condition=Q(next_fire_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(total_count=F("success_count") + F("warning_count") + F("failure_count")),
                name="jobstate_counts_agree",
            ),
        ]

    def __str__(self) -> str:
        return f"state of job {self.job_id}"


class JobCounter(models.Model):
    """The last number given to a job of a kind; numbers are never given twice."""

    kind = models.CharField(max_length=32, primary_key=True)
    last_number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind}: {self.last_number}"
