"""What of Redis a worker reads as a message. Celery sees nothing else.

A hint (``scheduler.run``) needs no signature: it names runs, and their rows decide. It is made anew from the ids that
it names, so that nothing else of what somebody may have written to Redis reaches Celery: no chain of further tasks, no
time limits, no instant to wait for. Every other message must carry our signature (``jobsite.signatures``), whichever
task it is for, Celery's own too.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from typing import Any

from celery.app.task import Context
from django.conf import settings

from jobsite import signatures
from scheduler import messages

logger = logging.getLogger(__name__)

# More runs than this in one message are none of ours.
MOST_RUNS = 1000
_LARGEST_ID = 2**63
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)


class Refused(Exception):
    """A message that is not taken: ``size``, ``form``, ``content`` or ``signature``."""


def admit(raw: bytes | str, queue: str) -> str | None:
    """Return the message as Celery is to read it; None, having logged and counted it, where it is refused."""
    try:
        return _admitted(raw, queue)
    except Refused as refusal:
        refused(str(refusal), queue=queue, size=len(raw))
    except _UNREADABLE:
        refused("form", queue=queue, size=len(raw))
    return None


def refused(reason: str, *, queue: str, size: int = 0) -> None:
    """Log and count a message that was not taken. What it says is not logged: it may be anything."""
    from scheduler.metrics import REFUSED

    REFUSED.add(label=reason)
    logger.warning("message.refused reason=%s queue=%s bytes=%d", reason, queue, size)


def _admitted(raw: bytes | str, queue: str) -> str:
    if len(raw) > settings.MESSAGE_LIMIT_BYTES:
        raise Refused("size")
    message = json.loads(raw)
    headers, properties = message["headers"], message["properties"]
    if (
        message["content-type"] != "application/json"
        or properties["body_encoding"] != "base64"
        # Unpacking is left to nobody who has not signed, and ours are small.
        or headers.get("compression")
    ):
        raise Refused("content")
    body = base64.b64decode(message["body"], validate=True)
    if headers["task"] == messages.TASK:
        return _hint(headers, body, queue, _priority(properties))
    return _signed(message, body, queue)


def _hint(headers: dict[str, Any], body: bytes, queue: str, priority: int) -> str:
    """Return the message that asks for the runs that this one names, and for nothing else."""
    (ids,), kwargs, embed = json.loads(body)
    if kwargs or any(embed.values()) or not 0 < len(ids) <= MOST_RUNS:
        raise Refused("form")
    if any(type(one) is not int or not 0 < one < _LARGEST_ID for one in ids):
        raise Refused("form")
    own = {name: value for name, value in headers.items() if not _is_celery_s(name)}
    return messages.encode(ids, queue, priority, headers=json.dumps(own) if own else "{}")


def _signed(message: dict[str, Any], body: bytes, queue: str) -> str:
    """Return a message whose signature is ours, without what of it is not signed and says how a task runs."""
    stated = message["headers"]
    if signatures.verified(stated, body) is None:
        raise Refused("signature")
    kept = (signatures.HEADER, *signatures.SIGNED)
    headers = {name: value for name, value in stated.items() if name in kept or not _is_celery_s(name)}
    properties = {
        "correlation_id": headers["id"],
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": _priority(message["properties"]),
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    return json.dumps(
        {
            "body": message["body"],
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )


def _is_celery_s(name: str) -> bool:
    """Whether Celery would read the header as one of its own, or as a member of the request that a task sees."""
    return name in signatures.SIGNED or name in (signatures.HEADER, "compression") or hasattr(Context, name)


def _priority(properties: dict[str, Any]) -> int:
    stated = properties.get("priority")
    return stated if type(stated) is int and 0 <= stated <= 9 else 0
