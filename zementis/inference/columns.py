"""Input columns are checked here, before any engine sees them.

The engines forgive too much: one takes text for a missing value, another invents a score for an incomplete row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zementis.inference.description import Field
from zementis.inference.errors import ScoringError

if TYPE_CHECKING:
    from zementis.inference.scorer import Column, Columns

NUMERIC_TYPES = frozenset({"DOUBLE", "FLOAT", "INTEGER"})


def check(columns: Columns, inputs: Sequence[Field], *, accepts_missing: bool) -> list[Column]:
    """Give one array per input in the inputs' order: float64 for numbers and booleans, objects (str, None) for text.

    Infinite numbers count as missing. Raises ScoringError, not retryable, naming the input.
    """
    absent = [field.name for field in inputs if field.name not in columns]
    if absent:
        raise _refusal(f"No column for input {_quoted(absent)}.")
    checked = [_column(columns[field.name], field, accepts_missing=accepts_missing) for field in inputs]
    lengths = {len(column) for column in checked}
    if len(lengths) > 1:
        raise _refusal(f"The input columns differ in length: {', '.join(str(length) for length in sorted(lengths))}.")
    return checked


def _column(column: Column, field: Field, *, accepts_missing: bool) -> Column:
    array = np.asarray(column)
    if array.ndim != 1:
        raise _refusal(f"Input '{field.name}' takes one value per row.")
    values = _text(array, field) if field.type not in NUMERIC_TYPES | {"BOOLEAN"} else _number(array, field)
    if values.dtype.kind == "f":
        # Infinite values are gone, so the sum is a number where no value is missing; it may overflow, never be NaN.
        with np.errstate(over="ignore"):
            count = int(np.count_nonzero(np.isnan(values))) if np.isnan(values.sum()) else 0
    else:
        count = sum(value is None for value in values)
    if count and not accepts_missing:
        raise _refusal(
            f"Input '{field.name}' has no value in {count} of {len(values)} rows, and the model does not say what to"
            " do with missing values."
        )
    return values


def _number(array: Column, field: Field) -> Column:
    if array.dtype.kind not in "fiub":
        raise _refusal(f"Input '{field.name}' takes numbers.")
    values = array.astype(np.float64, copy=False)
    if field.type == "FLOAT":
        # A PMML field or ONNX input of single precision holds no more; the splits of a tree were chosen among such.
        values = values.astype(np.float32).astype(np.float64)
    known = values
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    # Where the sum of all is finite, so is each.
    if not np.isfinite(total):
        finite = np.isfinite(values)
        known = values[finite]
        values = np.where(finite, values, np.nan)
    if field.type == "INTEGER" and (np.rint(known) != known).any():
        raise _refusal(f"Input '{field.name}' takes whole numbers.")
    if field.type == "BOOLEAN" and not np.isin(known, (0.0, 1.0)).all():
        raise _refusal(f"Input '{field.name}' takes booleans.")
    return values


def _text(array: Column, field: Field) -> Column:
    if array.dtype.kind not in "OUT":
        raise _refusal(f"Input '{field.name}' takes text.")
    values = array.astype(object)
    if not all(value is None or isinstance(value, str) for value in values):
        raise _refusal(f"Input '{field.name}' takes text.")
    return values


def _refusal(message: str) -> ScoringError:
    return ScoringError(message, retryable=False)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
