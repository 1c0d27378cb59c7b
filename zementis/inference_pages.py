"""Inferences in storage: written while a run goes on, read page by page. The only writer of ``InferencePage``.

Reading page k of an execution touches the rows of page k and no others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connection, transaction

from scheduler.models import Execution, Status
from zementis.models import InferencePage
from zementis.page_decoding import Page, decode

if TYPE_CHECKING:
    from zementis.page_encoding import EncodedPage

_FLUSH_BYTES = 4 * 1024 * 1024
# Devices read at a time: two show whether there are more, and the answer's first byte waits for no others. Then as many
# as have this many bytes, going by those before: a question costs as much as writing some ten short pages.
_READ_FIRST, _READ_LEAST, _READ_MOST = 2, 16, 128
_READ_BYTES = 512 * 1024
# Of a run that ended otherwise there may be pages, and they are not to be trusted.
SHOWN = (Status.SUCCEEDED, Status.WARNED)


@dataclass
class PageStore:
    """Stores the pages of one attempt of one execution, through a bounded buffer."""

    execution_id: int
    attempt: int
    rows: int = field(default=0, init=False)
    _waiting: list[EncodedPage] = field(default_factory=list, init=False)
    _waiting_bytes: int = field(default=0, init=False)

    def put(self, pages: Iterable[EncodedPage]) -> None:
        """Take pages; they are written when enough of them wait."""
        for page in pages:
            self._waiting.append(page)
            self._waiting_bytes += len(page.data)
            self.rows += page.rows
        if self._waiting_bytes >= _FLUSH_BYTES:
            self.flush()

    def drop_device(self, device: int) -> None:
        """Take back every page of a device."""
        self.rows -= sum(page.rows for page in self._waiting if page.device == device)
        self._waiting = [page for page in self._waiting if page.device != device]
        self._waiting_bytes = sum(len(page.data) for page in self._waiting)
        stored = InferencePage.objects.filter(execution_id=self.execution_id, attempt=self.attempt, device=device)
        self.rows -= sum(stored.values_list("rows", flat=True))
        stored.delete()

    def flush(self) -> None:
        """Write everything that waits."""
        if not self._waiting:
            return
        with transaction.atomic(), connection.cursor() as cursor:
            # The run's end waits for the disk, and is written behind these: there is no end without its pages.
            cursor.execute("SET LOCAL synchronous_commit = off")
            with (
                # A copy's own errors are psycopg's otherwise, and nobody above knows those.
                connection.wrap_database_errors,
                cursor.copy(
                    "COPY zementis_inferencepage (execution_id, attempt, page, device, rows, data)"
                    " FROM STDIN (FORMAT BINARY)"
                ) as copy,
            ):
                copy.set_types(["int8", "int2", "int4", "int8", "int2", "bytea"])
                for page in self._waiting:
                    copy.write_row((self.execution_id, self.attempt, page.number, page.device, page.rows, page.data))
        self._waiting.clear()
        self._waiting_bytes = 0


def read(execution: Execution, page: int) -> Iterator[Page]:
    """Give page ``page`` (from 1) of every device that has one, ascending by device; nothing of a failed run."""
    if Status(execution.status) not in SHOWN:
        return
    rows = InferencePage.objects.filter(execution_id=execution.pk, attempt=execution.attempt, page=page)
    after, wanted = -1, _READ_FIRST
    # A cursor that outlives its statement would have PostgreSQL copy the pages of all devices before the first is seen.
    while True:
        found = list(rows.filter(device__gt=after).order_by("device").values_list("device", "data")[:wanted])
        for device, data in found:
            yield decode(device, bytes(data))
        if len(found) < wanted:
            return
        size = sum(len(data) for _, data in found)
        after, wanted = found[-1][0], min(max(_READ_LEAST, _READ_BYTES * len(found) // size), _READ_MOST)


def discard(execution_id: int, *, before_attempt: int) -> None:
    """Delete what attempts before ``before_attempt`` have left."""
    InferencePage.objects.filter(execution_id=execution_id, attempt__lt=before_attempt).delete()


def discard_attempt(execution_id: int, *, attempt: int) -> None:
    """Delete what one attempt has written."""
    InferencePage.objects.filter(execution_id=execution_id, attempt=attempt).delete()


def forget(execution_ids: Sequence[int]) -> None:
    """Delete all inferences of these executions, inside the caller's transaction."""
    if execution_ids:
        InferencePage.objects.filter(execution_id__in=list(execution_ids)).delete()
