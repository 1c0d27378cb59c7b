"""A run: the measurements of a window go through a model, and its inferences into pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scheduler.job_types import Outcome, RunContext
from scheduler.models import Status
from zementis import inference_pages, instants, messages, model_store
from zementis.arguments import Arguments, SeriesName, Window
from zementis.devices import DataSource, DataSourceError, Target, data_source
from zementis.inference import InvalidModel, Scorer, ScoringError, cache
from zementis.inference_pages import PageWriter
from zementis.messages import Messages
from zementis.model_store import ModelNotFound, StoredModel
from zementis.rows import RowBuilder, Rows

if TYPE_CHECKING:
    from zementis.inference_pages import Column

logger = logging.getLogger(__name__)

# Rows read and scored at a time: enough to make the cost of a call small, few enough to be told to stop in between.
CHUNK_ROWS = 20_000


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
    engine = _Engine(model)
    source = data_source()
    target = _target(source, arguments)
    if not target.device_ids:
        raise _Refusal(f"The device group {target.id} has no devices")
    tally = _Tally()
    writer = PageWriter(context.execution_id, context.attempt)
    scan = _Scan(source, engine, arguments.series(), window, writer, context.check)
    context.progress(0, len(target.device_ids))
    for done, device in enumerate(target.device_ids, start=1):
        context.check()
        scan.device(device, tally)
        context.progress(done, len(target.device_ids))
    writer.close()
    tally.rows = writer.rows_written
    return tally, model


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


class _Engine:
    """The model's scorer, loaded once more where its engine died under it."""

    def __init__(self, model: StoredModel) -> None:
        self.model = model
        self.accepts_missing = model.description.accepts_missing
        self._scorer = self._load()

    def score(self, columns: Mapping[str, Column]) -> dict[str, Column]:
        """Score rows. Raises ``ScoringError`` where the rows are at fault, ``_Refusal`` where the engine is."""
        try:
            return self._scorer.score(columns)
        except ScoringError as error:
            if not error.retryable:
                raise
            logger.warning("model.engine_lost model=%s why=%s", self.model.name, error)
        cache.drop(self.model.content_hash)
        self._scorer = self._load()
        try:
            return self._scorer.score(columns)
        except ScoringError as error:
            if not error.retryable:
                raise
            raise _Refusal(f"Model '{self.model.name}' could not be run: {error}", retryable=True) from error

    def _load(self) -> Scorer:
        try:
            return model_store.load(self.model)
        except ModelNotFound as error:
            raise _Refusal(str(error)) from error
        except InvalidModel as error:
            raise _Refusal(f"Model '{self.model.name}' could not be loaded: {' '.join(error.errors)}") from error
        except ScoringError as error:
            raise _Refusal(
                f"Model '{self.model.name}' could not be loaded: {error}", retryable=error.retryable
            ) from error


@dataclass
class _Scan:
    """Takes one device after the other from the source through the engine to the writer."""

    source: DataSource
    engine: _Engine
    inputs: dict[str, SeriesName]
    window: Window
    writer: PageWriter
    check: Callable[[], None]

    def __post_init__(self) -> None:
        self.series = sorted(set(self.inputs.values()))
        self._place = {name: self.series.index(series) for name, series in self.inputs.items()}

    def device(self, device: int, tally: _Tally) -> None:
        """Score one device and count it."""
        builder = RowBuilder()
        seen = left_out = 0
        try:
            for chunk in self.source.measurements(device, series=self.series, window=self.window, limit=CHUNK_ROWS):
                self.check()
                rows = builder.feed(chunk)
                seen += len(rows) if rows is not None else 0
                left_out += self._score(device, rows)
            last = builder.finish()
            seen += len(last) if last is not None else 0
            left_out += self._score(device, last)
            self.writer.end_device(device)
        except DataSourceError as error:
            raise _Refusal(str(error), retryable=error.retryable) from error
        except ScoringError as error:
            self.writer.drop_device(device)
            tally.failed += 1
            tally.messages.add(f"The device {device} could not be scored: {error}")
            return
        if not seen:
            tally.silent += 1
            tally.messages.add(messages.silent(device))
            return
        tally.scored += 1
        if left_out:
            tally.messages.add(messages.incomplete(device, rows=left_out))

    def _score(self, device: int, rows: Rows | None) -> int:
        """Score finished rows; return how many of them were left out as incomplete."""
        if rows is None or not len(rows):
            return 0
        before = len(rows)
        if not self.engine.accepts_missing:
            complete = rows.complete()
            if not complete.all():
                rows = rows.where(complete)
        if len(rows):
            columns = {name: rows.columns[place] for name, place in self._place.items()}
            self.writer.add(device, rows.times, self.engine.score(columns))
        return before - len(rows)
