"""Alerts: whom to tell of what, and what is wrong at present."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from scheduler.models.job import Job
from scheduler.models.secret_field import SecretField

# Runs that a rule may look back at.
MOST_RUNS = 1000
LONGEST_SECONDS = 31 * 86400


class Condition(models.TextChoices):
    """What a rule waits for."""

    FAILURE = "failure", "a run fails"
    IN_A_ROW = "in_a_row", "so many runs in a row fail"
    RATE = "rate", "so many per cent of the last runs fail"
    LATE = "late", "a run starts late"
    LONG = "long", "a run takes long"
    NOT_RUN = "not_run", "a due instant does not run"


# The numbers that each condition has.
_NUMBERS: dict[str, tuple[str, ...]] = {
    Condition.IN_A_ROW: ("runs",),
    Condition.RATE: ("runs", "percent"),
    Condition.LATE: ("seconds",),
    Condition.LONG: ("seconds",),
}


class Channel(models.Model):
    """A place to send alerts to: an Apprise URL, which may hold a password or a token, under a name."""

    name = models.CharField(max_length=100, unique=True)
    url = SecretField(help_text="Encrypted; shown without its secrets.")
    enabled = models.BooleanField(default=True, help_text="Off: nothing is sent to it.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        permissions = [("test_channel", "Can send a test message to a channel")]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """When to tell whom. Of one job, or a default: of all jobs of a kind, or of all jobs.

    For each condition the most specific rules of a job hold: its own, else those of its kind, else those of all jobs.
    A rule that is switched off still stands in the way of more general ones, which is how a job is left out.
    """

    # The database deletes the rules of a deleted job; so with all tables here.
    job = models.ForeignKey(
        Job,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_rules",
        db_constraint=False,
        help_text="Empty: a default for all jobs.",
    )
    kind = models.CharField(
        max_length=32, blank=True, default="", help_text="A default for the jobs of this kind alone; empty: any kind."
    )
    condition = models.CharField(max_length=16, choices=Condition.choices, default=Condition.FAILURE)
    runs = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(2), MaxValueValidator(MOST_RUNS)],
        help_text="How many runs in a row, or how many of the last runs to look at.",
    )
    percent = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="The failure rate from which to tell.",
    )
    seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_SECONDS)],
        help_text="How late, or how long.",
    )
    channels = models.ManyToManyField(Channel, related_name="rules", db_constraint=False)
    tell_recovery = models.BooleanField(default=True, help_text="Tell also when all is well again.")
    enabled = models.BooleanField(default=True)
    snoozed_until = models.DateTimeField(
        null=True, blank=True, help_text="Incidents are recorded, and told when this has passed and they still last."
    )

    class Meta:
        ordering = ["job_id", "kind", "condition", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(job__isnull=True) | Q(kind=""), name="alertrule_job_or_kind"),
            models.CheckConstraint(
                condition=Q(
                    condition__in=("failure", "not_run"), runs__isnull=True, percent__isnull=True, seconds__isnull=True
                )
                # A comparison with null is not false, so each number is asked for.
                | Q(condition="in_a_row", runs__isnull=False, percent__isnull=True, seconds__isnull=True)
                | Q(condition="rate", runs__isnull=False, percent__isnull=False, seconds__isnull=True)
                | Q(condition__in=("late", "long"), seconds__isnull=False, runs__isnull=True, percent__isnull=True),
                name="alertrule_has_its_numbers",
            ),
            models.CheckConstraint(
                condition=(Q(runs__isnull=True) | Q(runs__gte=2, runs__lte=1000))
                & (Q(percent__isnull=True) | Q(percent__gte=1, percent__lte=100))
                & (Q(seconds__isnull=True) | Q(seconds__gte=1)),
                name="alertrule_numbers_make_sense",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.words}"

    @property
    def scope(self) -> str:
        """Whose rule it is, in words."""
        if self.job_id is not None:
            return str(self.job)
        return f"jobs of kind {self.kind}" if self.kind else "all jobs"

    @property
    def words(self) -> str:
        """What the rule waits for, in words."""
        match self.condition:
            case Condition.IN_A_ROW:
                return f"{self.runs} runs in a row fail"
            case Condition.RATE:
                return f"{self.percent} % or more of the last {self.runs} runs fail"
            case Condition.LATE:
                return f"a run starts {self.seconds} s late"
            case Condition.LONG:
                return f"a run takes longer than {self.seconds} s"
            case Condition.NOT_RUN:
                return "a due instant does not run"
            case _:
                return "a run fails"

    def clean(self) -> None:
        """Refuse numbers that the condition does not have, and a kind beside a job."""
        wanted = _NUMBERS.get(self.condition, ())
        problems: dict[str, Any] = {}
        for name in ("runs", "percent", "seconds"):
            if name in wanted and getattr(self, name) is None:
                problems[name] = "This condition needs it."
            if name not in wanted and getattr(self, name) is not None:
                problems[name] = "This condition has no such number."
        if self.job_id is not None and self.kind:
            problems["kind"] = "A rule is of one job or of a kind, not of both."
        if problems:
            raise ValidationError(problems)


class Incident(models.Model):
    """A rule's condition that a job meets, from the first run that met it until a run that does not.

    At most one is open of a rule and job, which the database decides between beats; one alert is sent for it.
    """

    rule = models.ForeignKey(AlertRule, models.CASCADE, related_name="incidents", db_constraint=False)
    job = models.ForeignKey(Job, models.CASCADE, related_name="incidents", db_constraint=False)
    opened_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now(), help_text="When it was found to last, last.")
    closed_at = models.DateTimeField(null=True)
    times = models.PositiveIntegerField(default=1, help_text="How many runs have met the condition.")
    execution_id = models.BigIntegerField(help_text="The run that met the condition last.")
    number = models.BigIntegerField(null=True, help_text="Its number.")
    summary = models.TextField(help_text="What was wrong when it opened.")
    told_at = models.DateTimeField(null=True, help_text="When the alert was handed over for sending.")
    tell_at = models.DateTimeField(null=True, help_text="When to tell (again) if it still lasts.")
    checked_at = models.DateTimeField(db_default=Now(), help_text="When it was looked at for recovery.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "job"], condition=Q(closed_at__isnull=True), name="incident_one_open"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("opened_at")), name="incident_ends_after_start"
            ),
        ]
        indexes = [
            models.Index(fields=["checked_at"], name="incident_open", condition=Q(closed_at__isnull=True)),
            models.Index(
                fields=["tell_at"], name="incident_tell", condition=Q(closed_at__isnull=True, tell_at__isnull=False)
            ),
            models.Index(fields=["closed_at"], name="incident_closed", condition=Q(closed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"incident {self.pk} of job {self.job_id}"


class Ping(models.Model):
    """A dead-man's switch of a job: a URL that is called after each run that succeeded.

    Who watches the URL tells when calls stop coming, also when nothing here is left to tell anything.
    """

    job = models.OneToOneField(Job, models.CASCADE, primary_key=True, related_name="ping", db_constraint=False)
    url = SecretField(help_text="Encrypted; who knows it can pretend that the job is well.")
    tell_failure = models.BooleanField(default=False, help_text="Call the URL with /fail after it when a run fails.")
    last_at = models.DateTimeField(null=True, editable=False, help_text="When it was called last.")
    last_problem = models.CharField(max_length=500, default="", editable=False, help_text="Why it could not be.")

    def __str__(self) -> str:
        return f"ping of job {self.job_id}"


class Delivery(models.Model):
    """Something to send, and what became of it: to a channel, or the call of a job's ping URL."""

    class Purpose(models.TextChoices):
        ALERT = "alert", "alert"
        RECOVERY = "recovery", "recovery"
        TEST = "test", "test message"
        PING = "ping", "ping"

    class State(models.IntegerChoices):
        WAITING = 0, "waiting"
        SENT = 1, "sent"
        FAILED = 2, "failed"

    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    channel = models.ForeignKey(Channel, models.CASCADE, null=True, related_name="deliveries", db_constraint=False)
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="deliveries", db_constraint=False)
    ping = models.ForeignKey(Ping, models.CASCADE, null=True, related_name="deliveries", db_constraint=False)
    title = models.CharField(max_length=250)
    body = models.TextField()
    failed_run = models.BooleanField(default=False, help_text="A ping tells of a failure.")
    state = models.PositiveSmallIntegerField(choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    problem = models.CharField(max_length=500, default="")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(purpose="ping", ping__isnull=False, channel__isnull=True)
                | (~Q(purpose="ping") & Q(ping__isnull=True, channel__isnull=False)),
                name="delivery_has_one_goal",
            ),
            models.CheckConstraint(
                condition=Q(state=0, ended_at__isnull=True) | Q(state__gt=0, ended_at__isnull=False),
                name="delivery_ended_has_end",
            ),
            # Calls that wait are as good as one: the newest.
            models.UniqueConstraint(
                fields=["ping"], condition=Q(state=0, ping__isnull=False), name="delivery_one_ping_waits"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="delivery_due", condition=Q(state=0)),
            models.Index(fields=["ended_at"], name="delivery_ended", condition=Q(state__gt=0)),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
