"""Connections to the broker that come back soon: what Celery uses instead of its own.

Celery waits 2 s after the first failed try to connect, 2 s longer after each further one, up to 30 s, and has no
setting for it. A worker would still be waiting a quarter of a minute after Redis is back from a minute's outage.
"""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP
from kombu.connection import Connection

# Seconds between tries to connect: a broker on its way up is not troubled by one try a second of each worker.
RETRY_EVERY_SECONDS = 1


class PromptConnection(Connection):
    """A connection that is tried again every second until the broker answers."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> PromptConnection:
        """Connect, as ``kombu.Connection.ensure_connection`` does, and return itself."""
        waits = {"interval_start": RETRY_EVERY_SECONDS, "interval_step": 0, "interval_max": RETRY_EVERY_SECONDS}
        super().ensure_connection(*args, **{**waits, **kwargs})  # type: ignore[no-untyped-call]
        return self


class PromptAMQP(AMQP):  # type: ignore[misc]
    """Celery's messaging with such connections."""

    Connection = PromptConnection
