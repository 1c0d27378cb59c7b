"""Messages: what is pushed is what Celery itself would have pushed, under kombu's names."""

import base64
import json
from typing import Any

import pytest
from django.conf import settings
from kombu.connection import Connection
from kombu.entity import Queue
from redis import Redis

from jobsite import admission
from scheduler import messages, tasks
from scheduler.definition import HEADERS_LIMIT_BYTES
from scheduler.messages import Hint
from tests.waiting import PATIENCE

SEP = "\x06\x16"


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause is left over from a test in which Redis was away."""
    monkeypatch.setattr(messages, "_paused_until", 0.0)


def pushed(broker: Redis, key: str = "services") -> list[list[int]]:
    """The execution ids of the messages in a list, the next to be taken first."""
    return [messages.decode_ids(message) for message in reversed(broker.lrange(key, 0, -1))]


def popped(broker: Redis) -> Any:
    """The envelope of the message that is taken next."""
    message: Any = broker.rpop("services")
    return json.loads(message)


@pytest.mark.parametrize(
    ("priority", "suffix"),
    [(0, ""), (1, ""), (2, ""), (3, f"{SEP}3"), (5, f"{SEP}3"), (6, f"{SEP}6"), (8, f"{SEP}6"), (9, f"{SEP}9")],
)
def test_a_priority_has_the_list_that_kombu_reads(priority: int, suffix: str) -> None:
    with Connection(settings.CELERY_BROKER_URL) as connection:
        channel = connection.channel()
        assert messages.key_of("services", priority) == f"services{suffix}" == channel._q_for_pri("services", priority)


def test_a_hint_is_pushed_to_the_list_of_its_queue_and_priority(broker: Redis) -> None:
    assert messages.publish([Hint(7, "slow", 9)])
    assert {key.decode(): pushed(broker, key.decode()) for key in broker.scan_iter()} == {f"slow{SEP}9": [[7]]}


def test_nothing_to_publish_needs_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "client", lambda: 1 / 0)
    assert messages.publish([])


def test_hints_of_one_list_are_taken_in_their_order(broker: Redis) -> None:
    messages.publish([Hint(number, "services", 0) for number in (1, 2, 3)])
    assert pushed(broker) == [[1], [2], [3]]


def test_many_hints_share_messages_and_none_is_left_out(broker: Redis) -> None:
    messages.publish([Hint(number, "services", 0) for number in range(1000)])
    parts = pushed(broker)
    assert sorted(number for part in parts for number in part) == list(range(1000))
    assert max(len(part) for part in parts) <= messages.MOST_PER_MESSAGE


TOO_LARGE = json.dumps({"x": "ß" * (settings.MESSAGE_LIMIT_BYTES // 6)}, ensure_ascii=False)


@pytest.mark.parametrize("headers", ['{"n": 1' + "0" * 5000 + "}", "[" * 100_000, "no JSON", TOO_LARGE])
def test_headers_that_nobody_can_read_keep_no_run_from_going(broker: Redis, headers: str) -> None:
    assert messages.publish([Hint(7, "services", 0, headers), Hint(8, "services", 0)])
    [seven, eight] = broker.lrange(messages.key_of("services", 0), 0, -1)[::-1]
    assert (messages.decode_ids(seven), messages.decode_ids(eight)) == ([7], [8])
    assert admission.admit(seven, "services") is not None


def test_the_largest_headers_fit_into_the_smallest_message_that_may_be_the_limit(
    broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MESSAGE_LIMIT_BYTES", 16384)
    monkeypatch.setattr(messages, "_is_behind", lambda key: True)
    # In a message what is not ASCII is escaped.
    headers = json.dumps({"x": "ß" * (HEADERS_LIMIT_BYTES // 2)}, ensure_ascii=False)
    longest = 2**63 - 1 - messages.MOST_PER_MESSAGE
    ids = list(range(longest, longest + messages.MOST_PER_MESSAGE))
    assert messages.publish([Hint(number, "q" * 64, 0, headers) for number in ids])
    [message] = broker.lrange(messages.key_of("q" * 64, 0), 0, -1)
    admitted = admission.admit(message, "q" * 64)
    assert admitted is not None
    assert (messages.decode_ids(admitted), json.loads(admitted)["headers"]["x"]) == (ids, json.loads(headers)["x"])


def test_kombu_reads_what_is_pushed_as_a_message_of_celery_s(broker: Redis) -> None:
    messages.publish([Hint(7, "services", 0, '{"tenant": "t1"}')])
    with Connection(settings.CELERY_BROKER_URL) as connection:
        queue = Queue("services", exchange=None, routing_key="services")
        received = connection.SimpleQueue(queue).get(timeout=PATIENCE)
        body = received.payload
        received.ack()
    assert body == [[[7]], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    assert (received.headers["task"], received.headers["tenant"], received.headers["lang"]) == (
        "scheduler.run",
        "t1",
        "py",
    )
    assert received.headers["id"] == received.properties["correlation_id"]


def test_a_message_has_the_headers_and_properties_that_celery_gives_its_own(broker: Redis) -> None:
    messages.publish([Hint(7, "services", 0)])
    ours = popped(broker)
    tasks.run.apply_async(args=([7],), queue="services", priority=0)
    theirs = popped(broker)
    # Hints need no signature: rows decide.
    assert set(theirs["headers"]) - set(ours["headers"]) == {"jobsite_signature"}
    assert set(ours["properties"]) == set(theirs["properties"])
    assert json.loads(base64.b64decode(ours["body"])) == json.loads(base64.b64decode(theirs["body"]))


def test_no_two_messages_have_the_same_id(broker: Redis) -> None:
    messages.publish([Hint(7, "services", 0)] * 2)
    messages.publish([Hint(7, "services", 0)])
    envelopes = [json.loads(message) for message in broker.lrange("services", 0, -1)]
    ids = [envelope["headers"]["id"] for envelope in envelopes]
    tags = [envelope["properties"]["delivery_tag"] for envelope in envelopes]
    assert (len(set(ids)), len(set(tags))) == (len(envelopes), len(envelopes))


@pytest.mark.parametrize("value", ["@body@", "@id@", '"', "\\", "\x00", "\ud800", "{", '", "body": "x'])
def test_a_header_may_hold_any_text(broker: Redis, value: str) -> None:
    messages.publish([Hint(7, "services", 0, json.dumps({"x": value}))])
    envelope = popped(broker)
    assert (envelope["headers"]["x"], json.loads(base64.b64decode(envelope["body"]))[0]) == (value, [[7]])


def test_a_header_of_the_job_s_does_not_replace_one_of_celery_s(broker: Redis) -> None:
    messages.publish([Hint(7, "services", 0, '{"task": "os.system", "id": "x"}')])
    headers = popped(broker)["headers"]
    assert headers["task"] == "scheduler.run"
    assert headers["id"] != "x"


@pytest.mark.parametrize("message", [b"", b"{}", b"null", b"[]", b'{"headers": {"task": "other"}}', b"\xff"])
def test_a_message_of_somebody_else_names_no_execution(message: bytes) -> None:
    assert messages.decode_ids(message) == []


def test_where_redis_is_away_publishing_says_so_and_waits_for_nothing_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def nowhere() -> Redis:
        calls.append(1)
        return Redis.from_url("redis://127.0.0.1:1", retry=None)

    monkeypatch.setattr(messages, "client", nowhere)
    monkeypatch.setattr(messages, "_PAUSE_AFTER_FAILURE_SECONDS", PATIENCE)
    assert [messages.publish([Hint(7, "services", 0)]) for _ in range(3)] == [False, False, False]
    assert calls == [1]


def test_the_horizon_is_the_oldest_message_of_each_priority(broker: Redis) -> None:
    messages.publish([Hint(number, "services", 0) for number in (4, 5)])
    messages.publish([Hint(9, "services", 5)])
    broker.lpush(f"services{SEP}9", b"a message of somebody else")
    assert messages.horizon("services") == {0: 4, 3: 9, 6: None, 9: 0}
