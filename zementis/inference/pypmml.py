"""PMML models of every class, through pypmml's engine PMML4S in Java."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zementis.inference import columns as input_columns
from zementis.inference import jvm
from zementis.inference.description import Engine, Field
from zementis.inference.errors import INVALID_XML, InvalidModel, ScoringError
from zementis.inference.pmml import Document

if TYPE_CHECKING:
    from zementis.inference.scorer import Column, Columns

CHUNK_VALUES = 120_000
"""Cells (rows times inputs) sent in one call: 20,000 rows of 6 inputs. A call with millions runs out of heap."""
MAX_CHUNK_ROWS = 20_000
_LEAST_CHUNK_ROWS = 1_000
_REAL = frozenset({"DOUBLE", "FLOAT"})


class PypmmlScorer:
    """A model in this process's Java. Loads itself again where Java was started anew."""

    engine: Engine = "pypmml"

    def __init__(self, document: Document) -> None:
        """Load the model. Raises InvalidModel where the engine refuses it, ScoringError where Java is at fault."""
        self.inputs = document.inputs
        self.accepts_missing = document.accepts_missing
        self.words: dict[str, tuple[str, ...]] = {}
        self._text = document.text()
        # The text is kept for a restart of Java, and Java's own copy is several times as large.
        self.size_bytes = 6 * len(self._text)
        self._jvm: jvm.Jvm | None = None
        self._model: Any = None
        self._load()
        self.outputs = document.outputs or self._engine_outputs()
        if not self.outputs:
            raise InvalidModel(INVALID_XML, "The model has no output.")

    def score(self, columns: Columns) -> dict[str, Column]:
        """Score rows; see `Scorer.score`."""
        checked = input_columns.check(columns, self.inputs, accepts_missing=self.accepts_missing)
        count = len(checked[0])
        step = max(_LEAST_CHUNK_ROWS, min(MAX_CHUNK_ROWS, CHUNK_VALUES // len(checked)))
        self._load()
        starts = range(0, count, step)
        requests = (self._request([column[start : start + step] for column in checked]) for start in starts)
        answers = map(self._ask, requests)
        parts = [self._read(answer, min(step, count - start)) for start, answer in zip(starts, answers, strict=True)]
        if not parts:
            return {field.name: output_array([], field.type) for field in self.outputs}
        if len(parts) == 1:
            return parts[0]
        return {field.name: _joined([part[field.name] for part in parts]) for field in self.outputs}

    def coded(self, columns: Columns) -> dict[str, Column]:
        """Score rows; see `Scorer.coded`."""
        return self.score(columns)

    def close(self) -> None:
        """Free the model in Java."""
        model, self._model = self._model, None
        if model is not None and self._jvm is not None and self._jvm.alive():
            with contextlib.suppress(Exception):
                self._jvm.gateway.detach(model)

    def _load(self) -> None:
        current = jvm.running()
        if self._model is not None and self._jvm is current:
            return
        self._jvm = current
        with _java_errors() as java:
            self._model = current.gateway.jvm.org.pmml4s.model.Model.fromString(self._text)
        if java.refusal is not None:
            self._model = None
            raise InvalidModel(INVALID_XML, f"The PMML engine cannot load the model: {java.refusal}.")

    def _engine_outputs(self) -> tuple[Field, ...]:
        assert self._jvm is not None  # noqa: S101  # loaded
        with _java_errors() as java:
            fields = [(str(field.name()), str(field.dataType().toString())) for field in self._model.outputFields()]
        if java.refusal is not None:
            raise InvalidModel(INVALID_XML, f"The PMML engine cannot tell the model's outputs: {java.refusal}.")
        # Which node of a tree a row ended in is no inference; whoever wants it declares an output for it.
        return tuple(
            Field(name=name, type="DOUBLE" if kind == "real" else kind.upper(), usage="OUTPUT")
            for name, kind in fields
            if name != "node_id"
        )

    def _request(self, chunk: list[Column]) -> str:
        return json.dumps({"columns": [field.name for field in self.inputs], "data": self._rows(chunk)})

    def _ask(self, request: str) -> str:
        with _java_errors() as java:
            answer: str = self._model.predict(request)
        if java.refusal is not None:
            raise ScoringError(f"The PMML engine cannot score the rows: {java.refusal}.", retryable=False)
        return answer

    def _read(self, answer: str, count: int) -> dict[str, Column]:
        table = json.loads(answer)
        rows = table["data"]
        if len(rows) != count:
            raise ScoringError("The PMML engine did not answer for every row.", retryable=False)
        places = {name: place for place, name in enumerate(table["columns"])}
        absent = [field.name for field in self.outputs if field.name not in places]
        if absent:
            raise ScoringError(f"The PMML engine gives no value for output '{absent[0]}'.", retryable=False)
        values = list(zip(*rows, strict=True))
        return {field.name: output_array(values[places[field.name]], field.type) for field in self.outputs}

    def _rows(self, chunk: list[Column]) -> list[Any]:
        if all(field.type in _REAL for field in self.inputs):
            table = np.column_stack(chunk)
            rows: list[Any] = table.tolist()
            for row, column in np.argwhere(np.isnan(table)).tolist():
                rows[row][column] = None
            return rows
        lists = [_json_values(column, field) for column, field in zip(chunk, self.inputs, strict=True)]
        return list(zip(*lists, strict=True))


class _JavaCall:
    """What became of a call: the engine's own refusal, if it refused."""

    refusal: str | None = None


@contextlib.contextmanager
def _java_errors() -> Iterator[_JavaCall]:
    """Keep an exception of the engine as `_JavaCall.refusal`; a lost Java becomes a retryable ScoringError."""
    from py4j.protocol import Py4JError, Py4JJavaError

    from zementis.inference.jvm_client import JavaLost

    call = _JavaCall()
    try:
        yield call
    except JavaLost as error:
        jvm.stop()
        raise ScoringError(
            f"The Java engine stopped; its heap of {jvm.heap_megabytes()} MB may be too small for the model.",
            retryable=True,
        ) from error
    except Py4JJavaError as error:
        call.refusal = _java_message(error)
    except Py4JError as error:
        call.refusal = str(error).splitlines()[0][:300]


def _java_message(error: Any) -> str:
    try:
        exception = error.java_exception
        text = f"{exception.getClass().getSimpleName()}: {exception.getMessage()}"
    except Exception:  # noqa: BLE001  # the message is a courtesy, whatever fails while asking for it
        text = str(error)
    return " ".join(text.split())[:300].rstrip(".")


def _json_values(column: Column, field: Field) -> list[Any]:
    values: list[Any] = column.tolist()
    if column.dtype.kind != "f":
        return values
    if field.type in {"INTEGER", "BOOLEAN"}:
        convert = bool if field.type == "BOOLEAN" else int
        return [None if value != value else convert(value) for value in values]  # noqa: PLR0124  # NaN
    missing = np.flatnonzero(np.isnan(column))
    for row in missing.tolist():
        values[row] = None
    return values


def output_array(values: Sequence[Any], kind: str) -> Column:
    """Give one output's values as an array: see `Scorer.score` for the types."""
    if kind in _REAL:
        try:
            # NumPy takes None for NaN, and numbers from text.
            return np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            return np.array([_real(value) for value in values], dtype=np.float64)
    missing = any(value is None for value in values)
    if kind == "INTEGER" and all(value is None or isinstance(value, (int, float)) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=float if missing else np.int64)
    if kind == "BOOLEAN":
        booleans = [_boolean(value) for value in values]
        return np.array(booleans, dtype=object if None in booleans else bool)
    return np.array([None if value is None else _word(value) for value in values], dtype=object)


def _real(value: Any) -> float:
    if value is None:
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _boolean(value: Any) -> bool | None:
    if value is None:
        return None
    return value.strip().lower() in {"true", "1"} if isinstance(value, str) else bool(value)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _joined(parts: Sequence[Column]) -> Column:
    # A chunk without missing values may be int64 or bool beside one with them; NumPy finds the wider type.
    return np.concatenate(parts)
