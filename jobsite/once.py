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
# What Celery calls a number of tries is any number here.
_ANY = 2**31


class OnceTask(Task):  # type: ignore[misc]
    """What every task of the application is. Called in Python, it is but a function.

    A message that is acknowledged before the work, of a task without ``acks_late``, is nobody's any more when the work
    begins: of all its copies one is worked on, whoever takes them at the same moment. With ``acks_late`` Redis hands
    out again what a worker died with, and a copy cannot be told from that: it may come until the work has ended, well
    or not. Hints carry no signature, and their rows know who began what.
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
        if not self.acks_late:
            return self.run(*args, **kwargs)
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
        """Return whether this message may be worked on. Without a database nobody knows: it goes back to its queue.

        One that has been acknowledged cannot: another is sent in its place.
        """
        until = datetime.fromtimestamp(signature.until, UTC)
        try:
            return receipts.take(signature.nonce, until=until, again=bool(self.acks_late))
        except (DatabaseError, InterfaceError) as error:
            connection.close()
            if not self.acks_late:
                raise self.retry(exc=error, countdown=_WAIT_SECONDS, max_retries=_ANY) from error
            threading.Event().wait(_WAIT_SECONDS)
            raise Reject(type(error).__name__, requeue=True) from error
