"""A run: the measurements of a window go through a model, and its inferences into pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.conf import settings

from scheduler.job_types import Outcome, RunCancelled, RunContext
from scheduler.models import Status
from zementis import inference_pages, instants, messages, model_store
from zementis.arguments import Arguments, SeriesName, Window
from zementis.devices import Batch, DataSource, DataSourceError, Target, data_source
from zementis.inference import InvalidModel, Scorer, ScoringError
from zementis.inference_pages import PageStore
from zementis.lanes import Done, Lanes, Piece
from zementis.messages import Messages
from zementis.model_store import ModelNotFound, StoredModel
from zementis.rows import RowBuilder

# Rows read and scored at a time: enough to make the cost of a call small, few enough to be told to stop in between.
CHUNK_ROWS = 20_000
# Devices of few rows are scored together, this many at most.
_MOST_PIECES = 200


class _Refusal(Exception):
    """The run cannot be done; the message goes into the execution."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable


@dataclass
class _Tally:
    """What became of the devices."""

    messages: Messages = field(default_factory=Messages)
    scored: int = 0
    silent: int = 0
    failed: int = 0
    rows: int = 0

    @property
    def status(self) -> Status:
        """Success, or Warning as long as a device was scored or merely silent, else Failure."""
        if not self.failed and not self.silent:
            return Status.SUCCEEDED
        return Status.WARNED if self.scored or self.silent else Status.FAILED


def run(arguments: Arguments, context: RunContext) -> Outcome:
    """Score the window of a run and return how it ended. The inferences are in ``inference_pages`` then."""
    window = arguments.window(context.scheduled_for)
    request = _request(arguments, window)
    inference_pages.discard(context.execution_id, before_attempt=context.attempt)
    try:
        tally, model = _score(arguments, window, context)
    except _Refusal as refusal:
        inference_pages.discard_attempt(context.execution_id, attempt=context.attempt)
        return Outcome(Status.FAILED, (refusal.message,), request=request, retryable=refusal.retryable)
    except RunCancelled:
        inference_pages.discard_attempt(context.execution_id, attempt=context.attempt)
        raise
    response = {
        "model": {"name": model.name, "version": model.version, "contentHash": model.content_hash},
        "engine": model.description.engine,
        "devices": {"scored": tally.scored, "silent": tally.silent, "failed": tally.failed},
        "inferences": tally.rows,
    }
    return Outcome(tally.status, tally.messages.all(), request=request, response=response)


def _request(arguments: Arguments, window: Window) -> dict[str, Any]:
    return {
        "associatedModel": arguments.model,
        "associatedGroupOrDeviceId": arguments.target,
        "modelToDeviceMappings": dict(arguments.mappings),
        "dataFrom": instants.shortest(window.start),
        "dataTo": instants.shortest(window.end),
    }


def _score(arguments: Arguments, window: Window, context: RunContext) -> tuple[_Tally, StoredModel]:
    model = _model(arguments)
    scorer = _load(model)
    source = data_source()
    target = _target(source, arguments)
    if not target.device_ids:
        raise _Refusal(f"The device group {target.id} has no devices")
    store = PageStore(context.execution_id, context.attempt)
    inputs = arguments.series()
    series = sorted(set(inputs.values()))
    places = {name: series.index(path) for name, path in inputs.items()}
    with Lanes(scorer, places, count=settings.ZEMENTIS_SCORING_THREADS) as lanes:
        scan = _Scan(source, series, window, lanes, store, context, len(target.device_ids))
        try:
            scan.run(target.device_ids)
        except DataSourceError as error:
            raise _Refusal(str(error), retryable=error.retryable) from error
        except ScoringError as error:
            raise _Refusal(f"Model '{model.name}' could not be run: {error}", retryable=True) from error
    store.flush()
    scan.tally.rows = store.rows
    return scan.tally, model


def _model(arguments: Arguments) -> StoredModel:
    try:
        model = model_store.get(arguments.model)
    except ModelNotFound as error:
        raise _Refusal(str(error)) from error
    if not model.active:
        raise _Refusal(f"Model '{model.name}' is not active.")
    missing = [field.name for field in model.description.inputs if field.name not in arguments.mappings]
    if missing:
        raise _Refusal(f"Model '{model.name}' has inputs without a mapping: {', '.join(missing)}.")
    return model


def _target(source: DataSource, arguments: Arguments) -> Target:
    try:
        target = source.target(arguments.target)
    except DataSourceError as error:
        raise _Refusal(str(error), retryable=error.retryable) from error
    if target is None:
        raise _Refusal(messages.no_target(arguments.target))
    return target


def _load(model: StoredModel) -> Scorer:
    try:
        return model_store.load(model)
    except ModelNotFound as error:
        raise _Refusal(str(error)) from error
    except InvalidModel as error:
        raise _Refusal(f"Model '{model.name}' could not be loaded: {' '.join(error.errors)}") from error
    except ScoringError as error:
        raise _Refusal(f"Model '{model.name}' could not be loaded: {error}", retryable=error.retryable) from error


@dataclass
class _Scan:
    """Takes one device after the other from the source through the lanes to the store."""

    source: DataSource
    series: list[SeriesName]
    window: Window
    lanes: Lanes
    store: PageStore
    context: RunContext
    total: int
    tally: _Tally = field(default_factory=_Tally)
    _batch: list[Piece] = field(default_factory=list, init=False)
    _batch_rows: int = field(default=0, init=False)
    _turn: int = field(default=0, init=False)
    _done: int = field(default=0, init=False)
    _seen: dict[int, int] = field(default_factory=dict, init=False)

    def run(self, devices: Sequence[int]) -> None:
        """Score all devices. Raises ``DataSourceError``, ``RunCancelled``, and ``ScoringError`` of a lost engine."""
        self.context.progress(0, self.total)
        self.context.check()
        builder = RowBuilder()
        found = self.source.measurements(devices, series=self.series, window=self.window, limit=CHUNK_ROWS)
        for item in found:
            self.context.check()
            if isinstance(item, Batch):
                self._hand_over()
                self._seen.update(zip(item.devices, np.diff(item.edges).tolist(), strict=True))
                self._take(self.lanes.score(self._turn, item))
                self._turn += 1
                continue
            device, chunk = item
            if chunk is not None:
                self._add(Piece(device, builder.feed(chunk)))
            else:
                self._add(Piece(device, builder.finish(), ended=True))
        self._hand_over()
        self._take(self.lanes.rest())

    def _add(self, piece: Piece) -> None:
        rows = len(piece.rows) if piece.rows is not None else 0
        self._seen[piece.device] = self._seen.get(piece.device, 0) + rows
        self._batch.append(piece)
        self._batch_rows += rows
        # Half a chunk is enough: two would have to be joined first.
        if self._batch_rows >= CHUNK_ROWS // 2 or len(self._batch) >= _MOST_PIECES:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._batch:
            batch, self._batch, self._batch_rows = self._batch, [], 0
            self._take(self.lanes.score(self._turn, batch))
            # The next batch may go to another lane, unless it goes on with the same device.
            self._turn += batch[-1].ended

    def _take(self, finished: Iterable[Done]) -> None:
        for done in finished:
            self.store.put(done.pages)
            if done.ended:
                self._count(done)
            self.context.check()

    def _count(self, done: Done) -> None:
        device = done.device
        if done.error is not None:
            self.store.drop_device(device)
            self.tally.failed += 1
            self.tally.messages.add(f"The device {device} could not be scored: {done.error}")
        elif not self._seen[device]:
            self.tally.silent += 1
            self.tally.messages.add(messages.silent(device))
        else:
            self.tally.scored += 1
            if done.left_out:
                self.tally.messages.add(messages.incomplete(device, rows=done.left_out))
        del self._seen[device]
        self._done += 1
        self.context.progress(self._done, self.total)
