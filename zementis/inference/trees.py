"""Numeric tree ensembles of PMML, compiled and run by onnxruntime without Java."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zementis.inference import columns as input_columns
from zementis.inference import tree_operator
from zementis.inference.description import Engine, Field
from zementis.inference.errors import INVALID_XML, InvalidModel, ScoringError
from zementis.inference.expressions import NotCompilable
from zementis.inference.onnx import first_line, session
from zementis.inference.pmml import Document
from zementis.inference.tree_program import Program, compile_document

if TYPE_CHECKING:
    from zementis.inference.scorer import Column, Columns

CHUNK_CELLS = 2_000_000
"""Rows times the wider of features and targets, per call of the operator: 16 MB."""
_MOST_ROWS = 65_536


class TreeScorer:
    """A compiled model in this process."""

    engine: Engine = "trees"

    def __init__(self, document: Document) -> None:
        """Compile the model. Raises NotCompilable where it has a part that is not covered."""
        try:
            self._program: Program = compile_document(document)
        except NotCompilable:
            raise
        except (ValueError, KeyError, OverflowError) as error:
            # A number that is none, a name that is nowhere: pypmml will say what is wrong with the file.
            raise NotCompilable(f"something the compiler does not understand ({type(error).__name__})") from error
        forest = self._program.forest
        self.inputs = document.inputs
        self.outputs = document.outputs or tuple(
            Field(name=name, type="DOUBLE", usage="OUTPUT") for name, _ in self._program.outputs
        )
        self.accepts_missing = document.accepts_missing
        self.words: dict[str, tuple[str, ...]] = {}
        self.size_bytes = 400 * (len(forest.node_splits) + len(forest.leaf_weights))
        try:
            self._session = session(tree_operator.write(forest))
        except Exception as error:  # onnxruntime's exceptions have no common base but this
            raise InvalidModel(INVALID_XML, f"The compiled trees cannot be loaded: {first_line(error)}.") from error
        self.splits = forest.splits()
        self._features = list(forest.features)
        self._targets = forest.targets
        # The arrays were for building; the session has its own.
        del self._program.forest

    def score(self, columns: Columns) -> dict[str, Column]:
        """Score rows; see `Scorer.score`."""
        checked = input_columns.check(columns, self.inputs, accepts_missing=self.accepts_missing)
        count = len(checked[0])
        step = max(1, min(_MOST_ROWS, CHUNK_CELLS // max(len(self._features), self._targets)))
        parts = [
            self._score_chunk([column[start : start + step] for column in checked]) for start in range(0, count, step)
        ]
        if len(parts) == 1:
            return parts[0]
        empty = [{field.name: as_output(np.empty(0), field.type) for field in self.outputs}]
        return {field.name: np.concatenate([part[field.name] for part in parts or empty]) for field in self.outputs}

    def coded(self, columns: Columns) -> dict[str, Column]:
        """Score rows; see `Scorer.coded`."""
        return self.score(columns)

    def close(self) -> None:
        """Free the session."""
        del self._session

    def _score_chunk(self, chunk: list[Column]) -> dict[str, Column]:
        program = self._program
        count = len(chunk[0])
        values: dict[str, Column] = {}
        # Divisions by zero and the like end as missing values, as PMML wants it.
        with np.errstate(all="ignore"):
            for column, field in zip(chunk, self.inputs, strict=True):
                values[field.name] = _replaced(column, program.replacements.get(field.name))
            for name, kind, expression in program.derived:
                values[name] = as_field(expression(values, count), kind)
            rows = np.empty((count, len(self._features)))
            for place, name in enumerate(self._features):
                rows[:, place] = values[name]
            prediction = program.step.run(values, self._run(rows), count)
            answers: dict[str, Column] = {}
            for (name, output), field in zip(program.outputs, self.outputs, strict=True):
                column = output(values, prediction, count)
                answers[name] = as_output(column, field.type)
                if column.dtype.kind == "f":
                    values[name] = column
        return answers

    def _run(self, rows: Column) -> Any:
        try:
            return self._session.run([tree_operator.OUTPUT], {tree_operator.INPUT: rows})[0]
        except MemoryError:
            raise
        except Exception as error:  # as above
            raise ScoringError(f"onnxruntime cannot score the rows: {first_line(error)}.", retryable=False) from error


def _replaced(column: Column, replacement: float | None) -> Column:
    return column if replacement is None else np.where(np.isnan(column), replacement, column)


def as_field(column: Column, kind: str) -> Column:
    """Give a derived field's values as its PMML type holds them, in float64."""
    if kind == "FLOAT":
        return column.astype(np.float32).astype(np.float64)
    return np.trunc(column) if kind == "INTEGER" else column


def as_output(column: Column, kind: str) -> Column:
    """Give an output's values in the form `Scorer.score` promises."""
    if column.dtype.kind == "O":
        return _labels(column, kind)
    if kind in {"DOUBLE", "FLOAT"}:
        column = as_field(column, kind)
        return np.where(np.isfinite(column), column, np.nan)
    missing: Column = np.isnan(column)
    if kind == "BOOLEAN":
        truth: Column = column == 1.0
        if not missing.any():
            return truth
        truths: Column = truth.astype(object)
        truths[missing] = None
        return truths
    if kind == "INTEGER":
        return column if missing.any() else np.trunc(column).astype(np.int64)
    if not len(column):
        return column.astype(object)
    raise ScoringError(f"An output of type {kind} cannot be computed from numbers.", retryable=False)


def _labels(column: Column, kind: str) -> Column:
    """Give class labels, which the file holds as text, as the output's type."""
    if kind in {"DOUBLE", "FLOAT"}:
        return np.array([np.nan if label is None else float(label) for label in column], dtype=np.float64)
    if kind == "INTEGER":
        missing = any(label is None for label in column)
        numbers = [np.nan if label is None else int(float(label)) for label in column]
        return np.array(numbers, dtype=np.float64 if missing else np.int64)
    if kind == "BOOLEAN":
        known = [None if label is None else label == "true" for label in column]
        return np.array(known, dtype=object if None in known else bool)
    return column
