"""Sending what is to be sent: taken like notices, in every beat, each parcel in a thread with a time limit.

A beat that dies while it sends leaves the delivery to another, after its hold: sent at least once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection, transaction

from scheduler.alerts import channels, pings
from scheduler.alerts.channels import BadChannel
from scheduler.alerts.pings import PingFailed
from scheduler.endings import backoff_seconds
from scheduler.models.alert import Channel, Delivery, Ping
from scheduler.secret import UnreadableSecret
from scheduler.transport import Line

logger = logging.getLogger(__name__)

BATCH = 32
PARCELS = 8
SEND_SECONDS = 30.0
# Longer than a batch may take at its worst: four rounds of parcels.
HOLD_SECONDS = 150
MOST_ATTEMPTS = 8
FIRST_DELAY_SECONDS = 10
LONGEST_DELAY_SECONDS = 1800
# More than this for one channel at once go as one message: a fault of everything must not bury who reads it.
MOST_APART = 5
MOST_TOGETHER = 1000
MOST_LISTED = 100
# A channel that has told more than ``MOST_APART`` alerts within this gathers what comes until this has passed.
GATHER_SECONDS = 30
KEPT = 10_000

# Of a channel with many in the batch all that is due, so that they go as one. Somebody waits for a test message.
_TAKE = """
WITH told AS MATERIALIZED (
    SELECT channel_id FROM scheduler_delivery
     WHERE state = 1 AND ended_at > statement_timestamp() - make_interval(secs => %(gather)s)
       AND channel_id IS NOT NULL AND purpose <> 'test'
     GROUP BY channel_id HAVING count(*) > %(apart)s
), due AS MATERIALIZED (
    SELECT d.id, d.channel_id FROM scheduler_delivery d
     WHERE d.state = 0 AND d.due_at <= statement_timestamp()
       AND (d.purpose = 'test' OR NOT EXISTS (SELECT 1 FROM told WHERE told.channel_id = d.channel_id))
     ORDER BY d.due_at, d.id LIMIT %(batch)s FOR UPDATE OF d SKIP LOCKED
), rest AS MATERIALIZED (
    SELECT d.id FROM scheduler_delivery d
     WHERE d.state = 0 AND d.due_at <= statement_timestamp()
       AND d.channel_id IN (SELECT channel_id FROM due GROUP BY channel_id HAVING count(*) > %(apart)s)
     ORDER BY d.due_at, d.id LIMIT %(together)s FOR UPDATE OF d SKIP LOCKED
)
UPDATE scheduler_delivery d SET attempts = d.attempts + 1, due_at = clock_timestamp() + make_interval(secs => %(hold)s)
 WHERE d.id IN (SELECT id FROM due UNION SELECT id FROM rest)
RETURNING d.id
"""


@dataclass
class Parcel:
    """What is sent as one: deliveries, how to send them, and why it failed (None: it did not)."""

    deliveries: Sequence[Delivery]
    send: Callable[[Line], None]
    problem: str | None = f"it took longer than {SEND_SECONDS:.0f} s"
    line: Line = field(default_factory=Line)

    def run(self) -> None:
        try:
            self.send(self.line)
            self.problem = None
        except (BadChannel, PingFailed) as error:
            self.problem = str(error)
        except Exception as error:
            logger.exception("delivery.crashed")
            self.problem = f"sending failed: {type(error).__name__}"


def deliver_all(*, until: Callable[[], bool] = lambda: False) -> int:
    """Send what is due, batch after batch, until one comes back short or ``until`` says so; return how many went."""
    total = 0
    while not until():
        taken = take()
        total += _deliver(taken)
        if len(taken) < BATCH:
            break
    return total


def take() -> list[Delivery]:
    """Take what is due, the oldest first, but for channels that gather."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "gather": GATHER_SECONDS,
                "apart": MOST_APART,
                "batch": BATCH,
                "together": MOST_TOGETHER,
                "hold": HOLD_SECONDS,
            },
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Delivery.objects.filter(pk__in=ids).select_related("channel", "ping").order_by("pk")) if ids else []


def test(channel: Channel) -> Delivery:
    """Have a test message sent to ``channel``, once, and return the delivery."""
    return Delivery.objects.create(
        purpose=Delivery.Purpose.TEST,
        channel=channel,
        title="Test message",
        body=f"The channel {channel.name} works: alerts will arrive here.",
        attempts=MOST_ATTEMPTS - 1,
    )


def purge(*, batch: int = 1000) -> int:
    """Delete up to ``batch`` ended deliveries that outlived their days or exceed ``KEPT``; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM scheduler_delivery WHERE id IN (
                SELECT id FROM scheduler_delivery
                 WHERE state > 0 AND (ended_at < now() - make_interval(days => %s)
                       OR ended_at < (SELECT ended_at FROM scheduler_delivery WHERE state > 0
                                       ORDER BY ended_at DESC OFFSET %s LIMIT 1))
                 ORDER BY ended_at LIMIT %s)
            """,
            [settings.ALERTS_KEEP_DAYS, KEPT - 1, batch],
        )
        gone = int(cursor.rowcount)
        cursor.execute(
            "DELETE FROM scheduler_incident WHERE id IN (SELECT id FROM scheduler_incident WHERE closed_at IS NOT NULL"
            " AND closed_at < now() - make_interval(days => %s) ORDER BY closed_at LIMIT %s)",
            [settings.ALERTS_KEEP_DAYS, batch],
        )
    return gone


def _deliver(taken: Sequence[Delivery]) -> int:
    parcels = _parcels(taken)
    for first in range(0, len(parcels), PARCELS):
        _send(parcels[first : first + PARCELS])
    return sum(_note(parcel) for parcel in parcels)


def _parcels(taken: Sequence[Delivery]) -> list[Parcel]:
    parcels: list[Parcel] = []
    by_channel: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in taken:
        if delivery.channel_id is not None:
            by_channel[delivery.channel_id].append(delivery)
        elif delivery.ping is not None:
            parcels.append(Parcel([delivery], _calling(delivery.ping, failed=delivery.failed_run)))
    for deliveries in by_channel.values():
        parts = [deliveries] if len(deliveries) > MOST_APART else [[delivery] for delivery in deliveries]
        parcels += [Parcel(part, _sending(part)) for part in parts]
    return parcels


def _sending(deliveries: Sequence[Delivery]) -> Callable[[Line], None]:
    channel = deliveries[0].channel
    title, body = deliveries[0].title, deliveries[0].body
    if len(deliveries) > 1:
        title = f"{len(deliveries)} alerts"
        body = "\n".join(delivery.title for delivery in deliveries[:MOST_LISTED])
        if len(deliveries) > MOST_LISTED:
            body += f"\nand {len(deliveries) - MOST_LISTED} more"

    def send(_line: Line) -> None:
        if channel is None or not channel.enabled:
            raise BadChannel("the channel is switched off")
        try:
            channels.send(channel.url.reveal(), title=title, body=body)
        except UnreadableSecret as error:
            raise BadChannel(str(error)) from None

    return send


def _calling(ping: Ping, *, failed: bool) -> Callable[[Line], None]:
    def call(line: Line) -> None:
        try:
            pings.call(ping.url.reveal(), failed=failed, line=line)
        except UnreadableSecret as error:
            raise PingFailed(str(error)) from None

    return call


def _send(parcels: Sequence[Parcel]) -> None:
    """Send the parcels beside each other. One not done in time is given up; its thread ends by its time-outs."""
    threads = [threading.Thread(target=parcel.run, daemon=True, name="scheduler-delivery") for parcel in parcels]
    give_up = time.monotonic() + SEND_SECONDS
    for thread in threads:
        thread.start()
    for thread, parcel in zip(threads, parcels, strict=True):
        thread.join(max(give_up - time.monotonic(), 0.0))
        if thread.is_alive():
            parcel.line.cut()


def _note(parcel: Parcel) -> int:
    """Write what became of a parcel's deliveries; return how many were sent. What was taken anew is left alone."""
    problem = parcel.problem
    sent = 0
    # What failed as one is tried again as one.
    attempts = max(delivery.attempts for delivery in parcel.deliveries)
    delay = backoff_seconds(attempts, first=FIRST_DELAY_SECONDS, longest=LONGEST_DELAY_SECONDS)
    for delivery in parcel.deliveries:
        if problem is None:
            sent += _sent(delivery)
            continue
        over = delivery.attempts >= MOST_ATTEMPTS
        logger.warning(
            "delivery.failed id=%s purpose=%s attempt=%s over=%s problem=%s",
            *(delivery.pk, delivery.purpose, delivery.attempts, over, problem),
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE scheduler_delivery SET problem = %s, state = CASE WHEN %s THEN 2 ELSE 0 END,"
                " ended_at = CASE WHEN %s THEN clock_timestamp() END,"
                " due_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE id = %s AND state = 0 AND attempts = %s",
                [problem[:500], over, over, delay, delivery.pk, delivery.attempts],
            )
        if delivery.ping_id is not None:
            Ping.objects.filter(pk=delivery.ping_id).update(last_problem=problem[:500])
    return sent


def _sent(delivery: Delivery) -> int:
    logger.info("delivery.sent id=%s purpose=%s", delivery.pk, delivery.purpose)
    with connection.cursor() as cursor:
        if delivery.ping_id is not None:
            # A job that runs every second would fill the log with nothing but this.
            cursor.execute(
                "DELETE FROM scheduler_delivery WHERE id = %s AND attempts = %s AND created_at = %s",
                [delivery.pk, delivery.attempts, delivery.created_at],
            )
            gone = int(cursor.rowcount)
            # A run that ended meanwhile has put its own call in the place of this one.
            cursor.execute(
                "UPDATE scheduler_delivery SET due_at = now(), attempts = 0, problem = ''"
                " WHERE id = %s AND attempts = %s",
                [delivery.pk, delivery.attempts],
            )
            cursor.execute(
                "UPDATE scheduler_ping SET last_at = clock_timestamp(), last_problem = '' WHERE job_id = %s",
                [delivery.ping_id],
            )
            return gone
        cursor.execute(
            "UPDATE scheduler_delivery SET state = 1, ended_at = clock_timestamp(), problem = ''"
            " WHERE id = %s AND state = 0 AND attempts = %s",
            [delivery.pk, delivery.attempts],
        )
        return int(cursor.rowcount)
