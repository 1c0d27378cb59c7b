"""Inferences in storage: written while a run goes on, read page by page. The only writer of ``InferencePage``.

A page holds its columns as raw arrays, their bytes sorted by significance (neighbouring numbers share their high
bytes) and compressed. Reading page k of an execution touches the rows of page k and no others.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import connection

from scheduler.models import Execution, Status
from zementis.inference_columns import finite
from zementis.models import InferencePage
from zementis.models.inference_page import ROWS_PER_PAGE

if TYPE_CHECKING:
    import numpy

    Column: TypeAlias = numpy.ndarray[Any, numpy.dtype[Any]]

_LENGTH_BYTES = 4
_COMPRESSION = 1
_FLUSH_BYTES = 4 * 1024 * 1024
_SHOWN = (Status.SUCCEEDED, Status.WARNED)


@dataclass(frozen=True)
class Page:
    """A page as it is read. ``times`` in microseconds since 1970; columns in the order of the model's outputs."""

    device: int
    times: list[int]
    columns: dict[str, list[Any]]


@dataclass
class PageWriter:
    """Writes the inferences of one attempt of one execution, in a bounded buffer.

    The devices may come in any order; the rows of one device come in the order of time, and ``end_device`` after them.
    """

    execution_id: int
    attempt: int
    rows_written: int = field(default=0, init=False)
    _waiting: list[tuple[int, int, int, bytes]] = field(default_factory=list, init=False)
    _waiting_bytes: int = field(default=0, init=False)
    _open: dict[int, _Open] = field(default_factory=dict, init=False)

    def add(self, device: int, times: Column, columns: Mapping[str, Column]) -> None:
        """Add rows of a device; full pages go to the buffer and from there to the database."""
        opened = self._open.setdefault(device, _Open())
        opened.parts.append((times, dict(columns)))
        opened.rows += len(times)
        if opened.rows >= ROWS_PER_PAGE:
            self._cut(device, opened, rest=False)

    def end_device(self, device: int) -> None:
        """Write what is left of a device as its last page."""
        opened = self._open.pop(device, None)
        if opened is not None:
            self._cut(device, opened, rest=True)

    def drop_device(self, device: int) -> None:
        """Take back everything that was added for a device."""
        self._open.pop(device, None)
        kept = [row for row in self._waiting if row[1] != device]
        self.rows_written -= sum(row[2] for row in self._waiting) - sum(row[2] for row in kept)
        self._waiting[:] = kept
        self._waiting_bytes = sum(len(row[3]) for row in kept)
        stored = InferencePage.objects.filter(execution_id=self.execution_id, attempt=self.attempt, device=device)
        self.rows_written -= sum(stored.values_list("rows", flat=True))
        stored.delete()

    def close(self) -> None:
        """Write everything that still waits."""
        for device in list(self._open):
            self.end_device(device)
        self._flush()

    def _cut(self, device: int, opened: _Open, *, rest: bool) -> None:
        import numpy as np

        times = np.concatenate([part[0] for part in opened.parts])
        columns = {name: np.concatenate([part[1][name] for part in opened.parts]) for name in opened.parts[0][1]}
        start = 0
        while len(times) - start >= ROWS_PER_PAGE or (rest and start < len(times)):
            page = slice(start, start + ROWS_PER_PAGE)
            opened.pages += 1
            self._buffer(device, opened.pages, times[page], {name: column[page] for name, column in columns.items()})
            start += ROWS_PER_PAGE
        opened.parts = [(times[start:], {name: column[start:] for name, column in columns.items()})]
        opened.rows = max(len(times) - start, 0)

    def _buffer(self, device: int, page: int, times: Column, columns: Mapping[str, Column]) -> None:
        data = encode(times, columns)
        self._waiting.append((page, device, len(times), data))
        self._waiting_bytes += len(data)
        self.rows_written += len(times)
        if self._waiting_bytes >= _FLUSH_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY zementis_inferencepage (execution_id, attempt, page, device, rows, data)"
                " FROM STDIN (FORMAT BINARY)"
            ) as copy,
        ):
            copy.set_types(["int8", "int2", "int4", "int8", "int2", "bytea"])
            for page, device, rows, data in self._waiting:
                copy.write_row((self.execution_id, self.attempt, page, device, rows, data))
        self._waiting.clear()
        self._waiting_bytes = 0


@dataclass
class _Open:
    """Rows of one device that do not fill a page yet."""

    parts: list[tuple[Column, dict[str, Column]]] = field(default_factory=list)
    rows: int = 0
    pages: int = 0


def encode(times: Column, columns: Mapping[str, Column]) -> bytes:
    """Return a page's columns as compressed bytes: a JSON head that names the columns, then their arrays."""
    import numpy as np

    head: list[list[Any]] = []
    arrays: list[bytes] = [_shuffled(np.asarray(times, dtype="<i8"))]
    for name, column in columns.items():
        if column.dtype.kind == "b":
            kind, data = "b", column.astype(np.uint8).tobytes()
        elif column.dtype.kind == "f":
            kind, data = "f", _shuffled(column.astype("<f8"))
        elif column.dtype.kind in "iu":
            kind, data = "i", _shuffled(column.astype("<i8"))
        else:
            kind, data = "j", json.dumps(column.tolist()).encode()
        head.append([name, kind, len(data)])
        arrays.append(data)
    first = json.dumps({"rows": len(times), "columns": head}).encode()
    return zlib.compress(b"".join([len(first).to_bytes(_LENGTH_BYTES, "big"), first, *arrays]), _COMPRESSION)


def decode(device: int, data: bytes) -> Page:
    """Undo ``encode``; numbers that are not finite come back as None."""
    import numpy as np

    raw = zlib.decompress(data)
    begin = _LENGTH_BYTES + int.from_bytes(raw[:_LENGTH_BYTES], "big")
    head = json.loads(raw[_LENGTH_BYTES:begin])
    times = _unshuffled(raw[begin : begin + 8 * head["rows"]], "<i8").tolist()
    begin += 8 * head["rows"]
    columns: dict[str, list[Any]] = {}
    for name, kind, length in head["columns"]:
        part = raw[begin : begin + length]
        begin += length
        if kind == "b":
            columns[name] = np.frombuffer(part, dtype=np.bool_).tolist()
        elif kind == "j":
            columns[name] = json.loads(part)
        else:
            columns[name] = finite(_unshuffled(part, "<f8" if kind == "f" else "<i8"))
    return Page(device, times, columns)


def _shuffled(array: Column) -> bytes:
    import numpy as np

    return np.ascontiguousarray(array).view(np.uint8).reshape(-1, 8).T.tobytes()


def _unshuffled(data: bytes, dtype: str) -> Column:
    import numpy as np

    return np.ascontiguousarray(np.frombuffer(data, dtype=np.uint8).reshape(8, -1).T).view(dtype).reshape(-1)


def read(execution: Execution, page: int) -> Iterator[Page]:
    """Give page ``page`` (from 1) of every device that has one, ascending by device; nothing of a failed run."""
    if Status(execution.status) not in _SHOWN:
        return
    rows = (
        InferencePage.objects.filter(execution_id=execution.pk, attempt=execution.attempt, page=page)
        .order_by("device")
        .values_list("device", "data")
    )
    for device, data in rows.iterator(chunk_size=16):
        yield decode(device, bytes(data))


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
