"""Connections to the broker that come back soon, and lose nothing on the way: what Celery uses instead of its own.

Celery waits 2 s after the first failed try to connect, 2 s longer after each further one, up to 30 s, and has no
setting for it. A worker would still be waiting a quarter of a minute after Redis is back from a minute's outage.

A worker fetches while it has places for messages, and a message leaves its place when it is acknowledged. Where Redis
does not take the acknowledgement, kombu lets the message keep its place for ever. A worker that was giving all of its
places free when Redis died would fetch nothing any more, and as it asks for nothing, it would not notice either.

What is read from Redis passes ``jobsite.admission`` first: Celery ends a worker over a message that is none.
"""

from __future__ import annotations

from typing import Any

import redis as client
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str

from jobsite import admission

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

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its queue; what is kept in its place and is none is dropped."""
        try:
            super().restore_by_tag(tag, client, leftmost)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]
            admission.refused("form", queue=self.unacked_key)


class AdmittingClient(client.Redis):
    """A client that hands on of what it pops from queues only what is a message for us."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Return what Redis answered; None, as if nothing had come, in place of what is refused."""
        found = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not found:
            return found
        key, item = found
        name: str = bytes_to_str(key)  # type: ignore[no-untyped-call]
        admitted = admission.admit(item, name.rsplit(redis.Channel.sep, 1)[0])
        return None if admitted is None else (key, admitted)


class FreeingChannel(redis.Channel):
    """A channel with such places, and such a client: one for all that it asks of Redis beside fetching."""

    QoS = FreeingQoS
    _kept: tuple[Any, Any] | None = None

    def _get_client(self) -> Any:
        super()._get_client()  # type: ignore[no-untyped-call]
        return AdmittingClient

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return a client of the pool in use.

        kombu makes one to note and one to acknowledge each message, which takes about as long as what it is made for.
        Those that fetch have a state of their own.
        """
        if asynchronous:
            return super()._create_client(asynchronous)  # type: ignore[no-untyped-call]
        kept, pool = self._kept, self.pool
        if kept is None or kept[0] is not pool:
            # The first, or the pool was given up with its connections.
            kept = self._kept = pool, super()._create_client()  # type: ignore[no-untyped-call]
        return kept[1]

    def _deliver_fanout_message(self, message: Any, exchange: str) -> bool:
        """Drop what workers tell each other of themselves: nothing here listens to it, and nobody signs it."""
        return True


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
