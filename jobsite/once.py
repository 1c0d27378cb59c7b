"""Tasks that a message can ask for once: a copy of a message that was dealt with is refused."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from celery import Task
from celery.exceptions import Ignore, Reject
from django.db import DatabaseError, InterfaceError, connection

from jobsite import admission, signatures
from scheduler import receipts

_WAIT_SECONDS = 1.0


class OnceTask(Task):  # type: ignore[misc]
    """What every task of the application is. Called in Python, it is but a function.

    What a worker died with may come again, as with ``acks_late`` it must; what has ended, well or not, may not.
    Hints carry no signature, and their rows know who began what.
    """

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        stated = self.request.get(signatures.HEADER)
        if not stated:
            return self.run(*args, **kwargs)
        signature = signatures.read(stated)
        if not self._take(signature):
            admission.refused("replay", queue=str((self.request.delivery_info or {}).get("routing_key", "")))
            raise Ignore
        try:
            result = self.run(*args, **kwargs)
        except Reject as rejection:
            if not rejection.requeue:
                receipts.close(signature.nonce)
            raise
        except Exception:
            receipts.close(signature.nonce)
            raise
        receipts.close(signature.nonce)
        return result

    def _take(self, signature: signatures.Signature) -> bool:
        """Return whether this message may be worked on. Without a database nobody knows: it goes back to its queue."""
        try:
            return receipts.take(signature.nonce, until=datetime.fromtimestamp(signature.until, UTC))
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            threading.Event().wait(_WAIT_SECONDS)
            raise Reject(type(error).__name__, requeue=True) from error
