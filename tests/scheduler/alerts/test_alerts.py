"""From an ended run to the message that arrives, and to the one that says all is well again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from scheduler import clock, jobs, notices
from scheduler.alerts import deliveries, incidents
from scheduler.alerts.incidents import Finding
from scheduler.models import AlertRule, Condition, Delivery, Execution, Incident, Job, Notice, Ping, Status
from tests.scheduler.alerts.conftest import Receiver
from tests.scheduler.alerts.factories import (
    a_channel,
    a_rule,
    ends,
    fails,
    open_incidents,
    settle,
    succeeds,
)
from tests.scheduler.factories import a_job
from tests.scheduler.threads import together

pytestmark = pytest.mark.django_db


def test_a_failure_is_told_once_until_all_is_well_and_then_that(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook))
    job = a_job(name="nightly")
    fails(job, 3)
    settle()
    assert (receiver.titles, Incident.objects.get().times) == (["Job nightly: run 1 failed"], 3)
    [post] = receiver.seen
    assert (post.method, post.path) == ("POST", "/hook")
    assert f"Probe, job {job.number}, run 1" in post.body["message"]
    assert "Reason: it failed" in post.body["message"]
    succeeds(job)
    settle()
    fails(job)
    settle()
    assert receiver.titles == [
        "Job nightly: run 1 failed",
        "Job nightly: well again",
        "Job nightly: run 5 failed",
    ]
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.SENT}


def test_an_alert_carries_a_link_where_the_console_s_address_is_known(receiver: Receiver, settings: Any) -> None:
    settings.PUBLIC_URL = "https://jobs.example.com/"
    a_rule(a_channel(receiver.webhook))
    [execution_id] = fails(a_job())
    settle()
    link = f"https://jobs.example.com/admin/scheduler/execution/{execution_id}/change/"
    assert receiver.seen[0].body["message"].endswith(link)


def test_recovery_is_not_told_where_it_is_not_wanted(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook), tell_recovery=False)
    job = a_job()
    ends(job, Status.FAILED, Status.WARNED)
    settle()
    assert (len(receiver.seen), open_incidents()) == (1, 0)


def test_nobody_is_told_of_successes_warnings_and_cancelled_runs() -> None:
    a_rule()
    ends(a_job(), Status.SUCCEEDED, Status.WARNED, Status.CANCELLED)
    assert not Incident.objects.exists()


def test_failures_in_a_row_are_counted_without_cancelled_runs() -> None:
    a_rule(condition=Condition.IN_A_ROW, runs=3)
    job = a_job()
    ends(job, Status.FAILED, Status.FAILED, Status.SUCCEEDED, Status.FAILED, Status.FAILED, Status.CANCELLED)
    assert open_incidents() == 0
    fails(job)
    assert Incident.objects.get().summary.splitlines()[0].endswith(": 3 runs in a row failed")


def test_a_failure_rate_is_told_from_the_full_number_of_runs_and_is_over_when_it_falls() -> None:
    a_rule(condition=Condition.RATE, runs=4, percent=50)
    job = a_job()
    ends(job, Status.FAILED, Status.FAILED, Status.FAILED)
    assert open_incidents() == 0
    ends(job, Status.SUCCEEDED, Status.FAILED)
    assert Incident.objects.get().summary.splitlines()[0].endswith(": 75 % of the last 4 runs failed")
    succeeds(job)
    settle()
    assert open_incidents() == 1
    succeeds(job)
    settle()
    assert open_incidents() == 0


def test_the_most_specific_rules_hold() -> None:
    job, other = a_job(), a_job()
    everywhere, of_kind, own = a_rule(), a_rule(kind="probe"), a_rule(job=job)
    a_rule(kind="other")
    in_a_row = a_rule(condition=Condition.IN_A_ROW, runs=2)
    fails(job, 2)
    fails(other)
    found = set(Incident.objects.values_list("rule_id", "job_id"))
    assert found == {(own.pk, job.pk), (in_a_row.pk, job.pk), (of_kind.pk, other.pk)}
    assert everywhere.pk not in {rule for rule, _job in found}


def test_a_job_is_left_out_by_a_rule_of_its_own_that_is_switched_off() -> None:
    job = a_job()
    a_rule()
    a_rule(job=job, enabled=False)
    fails(job)
    assert not Incident.objects.exists()


def test_an_incident_of_a_rule_that_is_switched_off_closes_without_a_word(receiver: Receiver) -> None:
    rule = a_rule(a_channel(receiver.webhook))
    fails(a_job())
    settle()
    AlertRule.objects.filter(pk=rule.pk).update(enabled=False)
    settle()
    assert (open_incidents(), len(receiver.seen)) == (0, 1)


def test_what_happens_while_a_rule_is_snoozed_is_told_afterwards_if_it_lasts(receiver: Receiver) -> None:
    until = clock.exact_now() + timedelta(hours=1)
    rule = a_rule(a_channel(receiver.webhook), snoozed_until=until)
    lasting, passing = a_job(name="lasting"), a_job(name="passing")
    fails(lasting)
    ends(passing, Status.FAILED, Status.SUCCEEDED)
    settle()
    assert (receiver.titles, Incident.objects.filter(tell_at=until).count()) == ([], 2)
    AlertRule.objects.filter(pk=rule.pk).update(snoozed_until=None)
    Incident.objects.update(tell_at=clock.now())
    settle()
    settle()
    assert receiver.titles == ["Job lasting: run 1 failed"]


def test_a_snoozed_incident_is_told_again_when_it_still_lasts(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook))
    fails(a_job(name="a"))
    settle()
    assert incidents.snooze(list(Incident.objects.all()), until=clock.exact_now() + timedelta(hours=1), by="ada") == 1
    settle()
    assert len(receiver.seen) == 1
    Incident.objects.update(tell_at=clock.now())
    settle()
    settle()
    assert receiver.titles == ["Job a: run 1 failed"] * 2


@pytest.mark.django_db(transaction=True)
def test_beats_that_find_the_same_open_one_incident(receiver: Receiver) -> None:
    rule = a_rule(a_channel(receiver.webhook))
    job = a_job()
    execution = jobs.run_now(job, by="tester")

    def find() -> int:
        finding = Finding(
            rule=rule,
            job_pk=job.pk,
            execution_id=execution.pk,
            number=1,
            at=clock.exact_now(),
            title="t",
            details="d",
        )
        with transaction.atomic(), transaction.get_connection().cursor() as cursor:
            return incidents.record(cursor, [finding])

    found = together(*[find] * 8)
    assert sorted(map(str, found)) == ["0"] * 7 + ["1"]
    deliveries.deliver_all()
    assert (open_incidents(), len(receiver.seen)) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_beats_that_close_the_same_incident_tell_of_it_once(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook))
    fails(a_job())
    settle()
    [incident] = Incident.objects.select_related("rule", "job")
    closed = together(*[lambda: incidents.close([incident], why="test")] * 6)
    assert sorted(map(str, closed)) == ["0"] * 5 + ["1"]
    deliveries.deliver_all()
    assert len(receiver.seen) == 2


def test_rules_see_each_end_once_however_often_its_notice_is_taken() -> None:
    a_rule()
    job = a_job()
    fails(job)
    Incident.objects.update(closed_at=clock.exact_now())
    Notice.objects.create(execution_id=Execution.objects.get().pk, seen=True)
    notices.tell_all()
    assert open_incidents() == 0


def test_a_deleted_job_takes_its_rules_incidents_and_ping_along() -> None:
    job = a_job()
    a_rule(job=job)
    Ping.objects.create(job=job, url="http://127.0.0.1:9/")
    fails(job)
    jobs.delete(job, by="tester")
    left = [model.objects.count() for model in (AlertRule, Incident, Delivery, Ping, Job)]
    assert left == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"condition": "failure", "runs": 3}, {"runs"}),
        ({"condition": "in_a_row"}, {"runs"}),
        ({"condition": "in_a_row", "runs": 1}, {"runs"}),
        ({"condition": "rate", "runs": 10}, {"percent"}),
        ({"condition": "rate", "runs": 10, "percent": 101}, {"percent"}),
        ({"condition": "late"}, {"seconds"}),
        ({"condition": "long", "seconds": 0}, {"seconds"}),
        ({"condition": "nonsense"}, {"condition"}),
    ],
)
def test_a_rule_without_its_numbers_is_refused(values: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        AlertRule(**values).full_clean()
    assert set(refusal.value.message_dict) - {"__all__"} == fields
    with pytest.raises(IntegrityError), transaction.atomic():
        AlertRule.objects.create(**values)


def test_a_rule_is_of_a_job_or_of_a_kind() -> None:
    with pytest.raises(ValidationError):
        AlertRule(job=a_job(), kind="probe").full_clean()
