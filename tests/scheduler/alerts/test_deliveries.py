"""Sending: to webhooks and a mail server, tried again, bounded in time, written down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import connection

from scheduler import clock
from scheduler.alerts import channels, deliveries
from scheduler.alerts.channels import BadChannel
from scheduler.models import Channel, Delivery, Incident
from scheduler.secret import Secret
from tests.processes import free_port
from tests.scheduler.alerts.conftest import Receiver
from tests.scheduler.alerts.factories import a_channel, a_rule, fails, settle
from tests.scheduler.factories import a_job
from tests.scheduler.threads import together
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


class Inbox:
    """What the SMTP server took."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.envelopes: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box = Inbox(free_port())
    server = Controller(box, hostname="127.0.0.1", port=box.port, ready_timeout=PATIENCE)
    server.start()
    yield box
    server.stop()


def again_now() -> None:
    Delivery.objects.filter(state=0).update(due_at=clock.now())


def test_an_alert_arrives_as_mail(inbox: Inbox) -> None:
    a_rule(a_channel(f"mailto://127.0.0.1:{inbox.port}?from=jobs@example.com&to=ops@example.com&mode=insecure"))
    fails(a_job(name="nightly\r\nBcc: evil@example.com"))
    settle()
    [envelope] = inbox.envelopes
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert envelope.rcpt_tos == ["ops@example.com"]
    assert mail["Subject"] == "Job nightly Bcc: evil@example.com: run 1 failed"
    text = mail.get_body(("plain", "html"))
    assert text is not None
    assert "Reason: it failed" in text.get_content()


def test_a_channel_that_is_away_is_tried_again_and_at_last_given_up(receiver: Receiver) -> None:
    receiver.status = 503
    a_rule(a_channel(receiver.webhook))
    fails(a_job())
    settle()
    for attempt in range(1, deliveries.MOST_ATTEMPTS):
        waiting = Delivery.objects.get()
        assert (waiting.state, waiting.attempts, len(receiver.seen)) == (Delivery.State.WAITING, attempt, attempt)
        assert waiting.due_at > clock.exact_now()
        assert deliveries.deliver_all() == 0
        again_now()
        deliveries.deliver_all()
    failed = Delivery.objects.get()
    assert (failed.state, len(receiver.seen)) == (Delivery.State.FAILED, deliveries.MOST_ATTEMPTS)
    assert "503" in failed.problem
    assert "pa55word" not in failed.problem


def test_a_channel_that_comes_back_gets_the_alert(receiver: Receiver) -> None:
    receiver.status = 500
    a_rule(a_channel(receiver.webhook))
    fails(a_job())
    settle()
    receiver.status = 200
    again_now()
    assert deliveries.deliver_all() == 1
    assert (Delivery.objects.get().state, len(receiver.seen)) == (Delivery.State.SENT, 2)


def test_a_channel_that_hangs_costs_the_others_no_more_than_its_time(
    receiver: Receiver, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "SEND_SECONDS", 1.5)
    receiver.open.clear()
    hanging = deliveries.test(a_channel(receiver.webhook))
    mailed = deliveries.test(
        a_channel(f"mailto://127.0.0.1:{inbox.port}?from=jobs@example.com&to=ops@example.com&mode=insecure")
    )
    assert deliveries.deliver_all() == 1
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert states == {hanging.pk: Delivery.State.FAILED, mailed.pk: Delivery.State.SENT}
    assert Delivery.objects.get(pk=hanging.pk).problem.startswith("it took longer than")


def test_many_alerts_at_once_go_as_one_message(receiver: Receiver) -> None:
    a_rule(a_channel(receiver.webhook))
    names = [f"job-{n}" for n in range(deliveries.MOST_APART + 2)]
    for name in names:
        fails(a_job(name=name))
    deliveries.deliver_all()
    assert receiver.titles == [f"{len(names)} alerts"]
    assert receiver.seen[0].body["message"].splitlines() == [f"Job {name}: run 1 failed" for name in names]
    assert set(Delivery.objects.values_list("state", flat=True)) == {Delivery.State.SENT}


def alerts(channel: Channel, count: int) -> None:
    Delivery.objects.bulk_create(
        Delivery(purpose=Delivery.Purpose.ALERT, channel=channel, title=f"Job {n}: run 1 failed", body="b")
        for n in range(count)
    )


def test_a_thousand_alerts_go_as_one_message_that_lists_the_first_hundred(receiver: Receiver) -> None:
    alerts(a_channel(receiver.webhook), 1000)
    assert deliveries.deliver_all() == 1000
    assert receiver.titles == ["1000 alerts"]
    lines = receiver.seen[0].body["message"].splitlines()
    assert (len(lines), lines[0], lines[-1]) == (101, "Job 0: run 1 failed", "and 900 more")


def test_a_storm_that_comes_in_waves_is_gathered_and_told_every_half_minute(receiver: Receiver) -> None:
    channel = a_channel(receiver.webhook)
    for _ in range(10):
        alerts(channel, 100)
        deliveries.deliver_all()
    assert receiver.titles == ["100 alerts"]
    earlier = clock.now() - timedelta(seconds=deliveries.GATHER_SECONDS)
    Delivery.objects.filter(state=1).update(ended_at=earlier)
    deliveries.deliver_all()
    assert receiver.titles == ["100 alerts", "900 alerts"]


def test_a_storm_on_one_channel_holds_back_neither_another_nor_a_test_message(receiver: Receiver) -> None:
    stormy, calm = a_channel(receiver.webhook), a_channel(receiver.webhook)
    for _ in range(2):
        alerts(stormy, 50)
        deliveries.deliver_all()
    alerts(calm, 1)
    deliveries.test(stormy)
    deliveries.deliver_all()
    assert receiver.titles[0] == "50 alerts"
    assert sorted(receiver.titles[1:]) == ["Job 0: run 1 failed", "Test message"]


def test_few_alerts_one_after_another_are_told_at_once(receiver: Receiver) -> None:
    channel = a_channel(receiver.webhook)
    for _ in range(deliveries.MOST_APART):
        alerts(channel, 1)
        deliveries.deliver_all()
    assert receiver.titles == ["Job 0: run 1 failed"] * deliveries.MOST_APART


def test_what_failed_as_one_message_is_tried_again_as_one(receiver: Receiver) -> None:
    receiver.status = 503
    alerts(a_channel(receiver.webhook), 40)
    deliveries.deliver_all()
    dues = sorted(Delivery.objects.values_list("due_at", flat=True))
    assert (len(receiver.seen), dues[-1] - dues[0] < timedelta(seconds=1)) == (1, True)


@pytest.mark.django_db(transaction=True)
def test_beats_share_the_sending(receiver: Receiver) -> None:
    made = [deliveries.test(a_channel(receiver.webhook)) for _ in range(deliveries.BATCH + 8)]
    sent = together(*[deliveries.deliver_all] * 4)
    assert (sum(int(str(count)) for count in sent), len(receiver.seen)) == (len(made), len(made))


def test_what_a_dead_beat_held_is_sent_by_another(receiver: Receiver) -> None:
    deliveries.test(a_channel(receiver.webhook))
    assert len(deliveries.take()) == 1
    assert deliveries.deliver_all() == 0
    again_now()
    assert (deliveries.deliver_all(), len(receiver.seen)) == (1, 1)


def test_nothing_is_sent_to_a_channel_that_is_switched_off(receiver: Receiver) -> None:
    channel = a_channel(receiver.webhook)
    a_rule(channel)
    deliveries.test(channel)
    Channel.objects.update(enabled=False)
    fails(a_job())
    settle()
    assert (receiver.seen, Delivery.objects.get().problem) == ([], "the channel is switched off")


def test_a_key_that_is_gone_is_told_in_the_log(receiver: Receiver) -> None:
    deliveries.test(a_channel(Secret("nonsense")))
    deliveries.deliver_all()
    assert Delivery.objects.get().problem == "a stored secret was encrypted with a key that is gone"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "no URL that Apprise can read"),
        ("nonsense://x", "no URL that Apprise can read"),
        ("syslog://", "would stay on the machine"),
        ("json://169.254.169.254/latest", "is a link-local address"),
        ("xml://[fe80::1]/", "is a link-local address"),
        ("mailto://a:b@example.com?smtp=169.254.169.254", "is a link-local address"),
        ("json://" + "a" * 3000, "longer than"),
    ],
)
def test_a_url_that_leads_nowhere_or_where_it_must_not_is_refused(url: str, why: str) -> None:
    with pytest.raises(BadChannel, match=why):
        channels.check(url)


def test_a_private_address_needs_the_setting(settings: Any, receiver: Receiver) -> None:
    channels.check(receiver.webhook)
    settings.ALERTS_ALLOW_ADDRESSES = []
    with pytest.raises(BadChannel, match="ALERTS_ALLOW_ADDRESSES"):
        channels.check(receiver.webhook)
    with pytest.raises(BadChannel, match="ALERTS_ALLOW_ADDRESSES"):
        channels.send(receiver.webhook, title="t", body="b")
    assert receiver.seen == []


def test_redirects_are_not_followed_even_where_the_url_asks_for_it(receiver: Receiver) -> None:
    receiver.status, receiver.location = 302, f"http://{receiver.address}/elsewhere"
    with pytest.raises(BadChannel):
        channels.send(f"{receiver.webhook}?redirect=yes", title="t", body="b")
    assert receiver.paths == ["/hook"]


def test_a_shown_url_and_the_row_hold_no_secret(receiver: Receiver) -> None:
    channel = a_channel(receiver.webhook)
    shown = channels.masked(channel.url.reveal())
    with connection.cursor() as cursor:
        cursor.execute("SELECT url FROM scheduler_channel")
        stored = cursor.fetchone()[0]
    assert [text for text in (shown, stored, str(channel.url), repr(channel.url)) if "pa55word" in text] == []
    assert shown.startswith("json://")


def test_the_log_is_bounded_in_age_and_number(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.ALERTS_KEEP_DAYS = 10
    monkeypatch.setattr(deliveries, "KEPT", 2)
    channel = a_channel()
    now = clock.now()
    for age in (1, 2, 3, 11):
        Delivery.objects.create(
            purpose="test", channel=channel, title=str(age), body="", state=1, ended_at=now - timedelta(days=age)
        )
    Delivery.objects.create(purpose="test", channel=channel, title="waiting", body="")
    assert deliveries.purge() == 2
    assert set(Delivery.objects.values_list("title", flat=True)) == {"1", "2", "waiting"}


def test_closed_incidents_are_deleted_in_time() -> None:
    a_rule()
    fails(a_job())
    fails(a_job())
    old = Incident.objects.order_by("pk")[0]
    long_ago = clock.now() - timedelta(days=400)
    Incident.objects.filter(pk=old.pk).update(opened_at=long_ago, closed_at=long_ago)
    deliveries.purge()
    assert not Incident.objects.filter(pk=old.pk).exists()
    assert Incident.objects.count() == 1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("json://user:s3cret@hooks.example/in/s3cret?key=s3cret", "json://user:****@hooks.example/********"),
        ("forms://hooks.example/s3cret", "forms://hooks.example/********"),
        ("json://hooks.example", "json://hooks.example/"),
        ("mailto://u:s3cret@example.com/ops@example.org", "mailto://u:****@example.com/ops%40example.org"),
    ],
)
def test_the_path_of_a_webhook_is_shown_to_nobody(url: str, shown: str) -> None:
    assert channels.masked(url) == shown
