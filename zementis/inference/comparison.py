"""Tell whether two engines say the same of the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from zementis.inference.scorer import Column

TOLERANCE = 1e-8
"""Largest difference, relative to the value where that is above 1.

Rounding gives 1e-15 and constants written to different lengths 1e-9; another leaf gives 1e-3.
"""


def difference(ours: Mapping[str, Column], theirs: Mapping[str, Column]) -> str | None:
    """Give a sentence part on the first output that differs, None where all agree."""
    if list(ours) != list(theirs):
        return f"the outputs are {', '.join(ours)} against {', '.join(theirs)}"
    for name, column in ours.items():
        other = theirs[name]
        wrong = ~_same(column, other)
        if wrong.any():
            row = int(np.argmax(wrong))
            return (
                f"output '{name}' is {column[row]} against {other[row]} in row {row + 1}, and differs in {wrong.sum()}"
            )
    return None


def _same(left: Column, right: Column) -> Any:
    if left.dtype.kind == "f" or right.dtype.kind == "f":
        if left.dtype.kind not in "fi" or right.dtype.kind not in "fi":
            return np.zeros(len(left), dtype=bool)
        return np.isclose(left, right, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    return np.array([one == other for one, other in zip(left.tolist(), right.tolist(), strict=True)], dtype=bool)
