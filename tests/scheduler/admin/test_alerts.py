"""Channels, rules, incidents and ping URLs in the console."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler import clock
from scheduler.alerts import deliveries, review
from scheduler.models import AlertRule, Channel, Condition, Delivery, Incident, Ping
from scheduler.secret import Secret
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import act, errors, said, text, url
from tests.scheduler.alerts.factories import a_channel, a_rule, fails
from tests.scheduler.factories import a_job

SECRET = "json://user:pa55word@127.0.0.1:9/hook"
PAGES = ("channel", "alertrule", "incident", "delivery", "ping")


def a_typed_rule(channel: Channel, **changes: Any) -> dict[str, Any]:
    typed = {"condition": "failure", "channels": [channel.pk], "tell_recovery": "on", "enabled": "on"}
    return {**typed, "snoozed_until_0": "", "snoozed_until_1": "", **changes}


def test_a_channel_is_kept_encrypted_and_shown_without_its_secret(boss: Client) -> None:
    boss.post(url("scheduler_channel_add"), {"name": "ops", "address": SECRET, "enabled": "on"})
    channel = Channel.objects.get()
    assert (channel.name, channel.url.reveal(), channel.enabled) == ("ops", SECRET, True)
    pages = [
        text(boss.get(url("scheduler_channel_changelist"))),
        text(boss.get(url("scheduler_channel_change", channel.pk))),
    ]
    assert [page for page in pages if "pa55word" in page] == []
    assert all("json://" in page for page in pages)


def test_an_address_left_empty_stays_and_a_new_one_takes_its_place(boss: Client) -> None:
    channel = a_channel(SECRET)
    boss.post(url("scheduler_channel_change", channel.pk), {"name": "new", "address": ""})
    channel.refresh_from_db()
    assert (channel.name, channel.enabled, channel.url.reveal()) == ("new", False, SECRET)
    boss.post(url("scheduler_channel_change", channel.pk), {"name": "new", "address": "xml://127.0.0.1/"})
    channel.refresh_from_db()
    assert channel.url.reveal() == "xml://127.0.0.1/"


@pytest.mark.parametrize("address", ["", "nonsense", "syslog://", "json://169.254.169.254/", "json://" + "x" * 3000])
def test_an_address_that_cannot_be_used_is_refused(boss: Client, address: str) -> None:
    answer = boss.post(url("scheduler_channel_add"), {"name": "ops", "address": address})
    assert "address" in errors(answer)
    assert not Channel.objects.exists()


def test_a_test_message_is_asked_for_from_the_list_and_from_the_form(boss: Client) -> None:
    channel = a_channel(SECRET)
    answer = act(boss, "send_test", channel.pk, model="scheduler_channel")
    assert said(answer) == [f"A message to {channel.name} is on its way; the deliveries tell what became of it."]
    boss.post(
        url("scheduler_channel_change", channel.pk),
        {"name": "ops", "enabled": "on", "scheduler_channel_save_and_test": "1", "address": ""},
    )
    assert list(Delivery.objects.values_list("purpose", "channel_id")) == [("test", channel.pk)] * 2
    Channel.objects.update(enabled=False)
    assert said(act(boss, "send_test", channel.pk, model="scheduler_channel"))[-1] == "ops is switched off."


def test_a_test_message_needs_its_permission(login: Login) -> None:
    client = login("scheduler.view_channel", "scheduler.change_channel")
    channel = a_channel(SECRET)
    act(client, "send_test", channel.pk, model="scheduler_channel")
    client.post(
        url("scheduler_channel_change", channel.pk),
        {"name": "x", "enabled": "on", "scheduler_channel_save_and_test": "1"},
    )
    assert not Delivery.objects.exists()


def test_a_rule_is_made_for_a_job_and_shown_on_its_page(boss: Client) -> None:
    job = a_job(name="nightly")
    form = text(boss.get(f"{url('scheduler_alertrule_add')}?job={job.pk}"))
    assert "nightly" in form
    typed = a_typed_rule(a_channel(), job=job.pk, condition="in_a_row", runs="3")
    boss.post(url("scheduler_alertrule_add"), typed)
    [rule] = AlertRule.objects.all()
    assert (rule.job_id, rule.condition, rule.runs, rule.channels.count()) == (job.pk, Condition.IN_A_ROW, 3, 1)
    page = text(boss.get(url("scheduler_job_change", job.pk)))
    assert "3 runs in a row fail" in page
    assert "3 runs in a row fail" in text(boss.get(url("scheduler_alertrule_changelist")))


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"condition": "late"}, "seconds"),
        ({"condition": "rate", "runs": "10", "percent": "0"}, "percent"),
        ({"condition": "in_a_row", "runs": "99999999999"}, "runs"),
        ({"condition": "long", "seconds": "9" * 12}, "seconds"),
        ({"kind": "unheard-of"}, "kind"),
        ({"channels": ["999"]}, "channels"),
        ({"channels": []}, "channels"),
        ({"job": "999"}, "job"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_on_its_field(boss: Client, typed: dict[str, Any], field: str) -> None:
    answer = boss.post(url("scheduler_alertrule_add"), a_typed_rule(a_channel(), **typed))
    assert field in errors(answer)
    assert not AlertRule.objects.exists()


def test_incidents_are_snoozed_and_closed_from_their_list(boss: Client) -> None:
    a_rule()
    job = a_job(name="nightly")
    fails(job)
    incident = Incident.objects.get()
    assert "Job nightly: run 1 failed" in text(boss.get(url("scheduler_incident_changelist")))
    assert "Reason: it failed" in text(boss.get(url("scheduler_incident_change", incident.pk)))
    assert "open" in text(boss.get(url("scheduler_job_change", job.pk)))
    act(boss, "snooze_for_an_hour", incident.pk, model="scheduler_incident")
    incident.refresh_from_db()
    assert incident.tell_at is not None
    assert timedelta(minutes=59) < incident.tell_at - clock.now() <= timedelta(minutes=60)
    told = Delivery.objects.count()
    assert said(act(boss, "close", incident.pk, model="scheduler_incident"))[-1] == "1 closed."
    incident.refresh_from_db()
    assert (incident.closed_at is not None, Delivery.objects.count()) == (True, told)


def test_what_a_snoozed_rule_held_back_is_told_when_somebody_ends_the_snooze(boss: Client) -> None:
    until = clock.now().replace(microsecond=0) + timedelta(hours=1)
    rule, other = (a_rule(a_channel(SECRET), snoozed_until=until) for _ in range(2))
    fails(a_job())
    held = Incident.objects.get(rule=rule)
    [channel] = rule.channels.all()
    boss.post(url("scheduler_alertrule_change", rule.pk), a_typed_rule(channel))
    review.review()
    held.refresh_from_db()
    assert (list(Delivery.objects.values_list("incident_id", "purpose")), held.tell_at) == ([(held.pk, "alert")], None)
    # A later end is waited for, whoever looks first.
    [channel] = other.channels.all()
    later = until + timedelta(hours=1)
    typed = a_typed_rule(channel, snoozed_until_0=f"{later:%Y-%m-%d}", snoozed_until_1=f"{later:%H:%M:%S}")
    boss.post(url("scheduler_alertrule_change", other.pk), typed)
    review.review()
    assert (Delivery.objects.count(), Incident.objects.get(rule=other).tell_at) == (1, later)


@pytest.mark.parametrize("action", ["close", "snooze_for_a_day"])
def test_many_incidents_are_tended_in_batches_and_what_is_left_is_said(
    boss: Client, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setattr("scheduler.admin.alert.BATCH", 2)
    monkeypatch.setattr("scheduler.admin.alert.BATCHES", 2)
    a_rule()
    for _ in range(5):
        fails(a_job())
    first, *others = Incident.objects.order_by("pk").values_list("pk", flat=True)
    told = said(act(boss, action, *others, model="scheduler_incident"))
    assert (len(told), told[0][:2]) == (1, "4 ")
    told = said(act(boss, action, first, *others, model="scheduler_incident"))
    assert told[-2] == "At most 4 incidents at once: newer ones are left as they were."
    assert not Incident.objects.filter(closed_at__isnull=True, tell_at__isnull=True).exists()


def test_incidents_are_only_looked_at_without_the_permission_to_change_them(login: Login) -> None:
    client = login("scheduler.view_incident")
    a_rule()
    fails(a_job())
    act(client, "close", Incident.objects.get().pk, model="scheduler_incident")
    assert Incident.objects.get().closed_at is None


def test_a_ping_url_is_kept_and_refused_like_a_channel_s(boss: Client) -> None:
    job = a_job()
    refused = boss.post(url("scheduler_ping_add"), {"job": job.pk, "address": "http://169.254.169.254/"})
    assert "address" in errors(refused)
    boss.post(url("scheduler_ping_add"), {"job": job.pk, "address": "http://127.0.0.1:9/5ecret", "tell_failure": "on"})
    ping = Ping.objects.get()
    assert (ping.job_id, ping.url.reveal(), ping.tell_failure) == (job.pk, "http://127.0.0.1:9/5ecret", True)
    assert "5ecret" not in text(boss.get(url("scheduler_ping_change", job.pk)))
    again = boss.post(url("scheduler_ping_add"), {"job": job.pk, "address": "http://127.0.0.1:9/"})
    assert "job" in errors(again)


def test_the_log_of_deliveries_tells_what_could_not_be_sent(boss: Client) -> None:
    delivery = deliveries.test(a_channel("json://127.0.0.1:1/"))
    deliveries.deliver_all()
    page = text(boss.get(url("scheduler_delivery_changelist")))
    assert "failed" in page and "Test message" in page
    assert boss.get(url("scheduler_delivery_change", delivery.pk)).status_code == 200


def test_a_secret_whose_key_is_gone_breaks_no_page(boss: Client) -> None:
    channel = a_channel(Secret("nonsense"))
    assert boss.get(url("scheduler_channel_changelist")).status_code == 200
    assert boss.get(url("scheduler_channel_change", channel.pk)).status_code == 200


@pytest.mark.parametrize("model", PAGES)
def test_a_list_costs_the_same_however_many_rows_it_shows(boss: Client, model: str) -> None:
    def cost() -> int:
        channel = a_channel(SECRET)
        job = a_job()
        a_rule(channel, job=job)
        Ping.objects.create(job=job, url="http://127.0.0.1:9/")
        fails(job)
        with CaptureQueriesContext(connection) as captured:
            assert boss.get(url(f"scheduler_{model}_changelist")).status_code == 200
        return len(captured)

    cost()
    assert cost() == cost()


@pytest.mark.parametrize("model", PAGES)
def test_each_page_needs_its_permission(viewer: Client, model: str) -> None:
    assert viewer.get(url(f"scheduler_{model}_changelist")).status_code == 403
    assert viewer.post(url(f"scheduler_{model}_add"), {}).status_code == 403


def test_a_job_s_page_says_nothing_of_alerts_to_who_may_not_see_them(viewer: Client) -> None:
    job = a_job()
    a_rule()
    assert "a run fails" not in text(viewer.get(url("scheduler_job_change", job.pk)))
