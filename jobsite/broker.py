"""Connections to the broker that come back soon, and lose nothing on the way: what Celery uses instead of its own.

Celery waits 2 s after the first failed try to connect, 2 s longer after each further one, up to 30 s, and has no
setting for it. A worker would still be waiting a quarter of a minute after Redis is back from a minute's outage.

A worker fetches while it has places for messages, and a message leaves its place when it is acknowledged. Where Redis
does not take the acknowledgement, kombu lets the message keep its place for ever. A worker that was giving all of its
places free when Redis died would fetch nothing any more, and as it asks for nothing, it would not notice either.
"""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import redis

# Seconds between tries to connect: a broker on its way up is not troubled by one try a second of each worker.
RETRY_EVERY_SECONDS = 1


class FreeingQoS(redis.QoS):
    """Places for messages, free again whether Redis takes the acknowledgement or not: rows say what has been begun."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message. Raises what the Redis client raises, its place being free then too."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except Exception:
            self._quick_ack(delivery_tag)
            raise


class FreeingChannel(redis.Channel):
    """A channel with such places."""

    QoS = FreeingQoS


class FreeingTransport(redis.Transport):
    """The Redis transport with such channels."""

    Channel = FreeingChannel


class PromptConnection(Connection):
    """A connection that is tried again every second until the broker answers."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> PromptConnection:
        """Connect, as ``kombu.Connection.ensure_connection`` does, and return itself."""
        waits = {"interval_start": RETRY_EVERY_SECONDS, "interval_step": 0, "interval_max": RETRY_EVERY_SECONDS}
        super().ensure_connection(*args, **{**waits, **kwargs})  # type: ignore[no-untyped-call]
        return self

    def get_transport_cls(self) -> Any:
        """Return the transport of the URL; for Redis, the one that frees its places."""
        found = super().get_transport_cls()  # type: ignore[no-untyped-call]
        return FreeingTransport if found is redis.Transport else found


class PromptAMQP(AMQP):  # type: ignore[misc]
    """Celery's messaging with such connections."""

    Connection = PromptConnection
