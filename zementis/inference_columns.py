"""Output columns as JSON values. No Django here: the scoring process uses it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy


def finite(column: numpy.ndarray[Any, numpy.dtype[Any]]) -> list[Any]:
    """Return a column as JSON values: what is not a finite number is None."""
    values: list[Any] = column.tolist()
    if column.dtype.kind == "f":
        import numpy as np

        for place in np.flatnonzero(~np.isfinite(column)).tolist():
            values[place] = None
    return values
