"""Made-up rows to try a model on: the same for the same model, near the values its file mentions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zementis.inference.description import Field

if TYPE_CHECKING:
    from zementis.inference.scorer import Column

ROWS = 100
_HOLES = 0.1
_SEED = 20261122


def rows(
    inputs: Sequence[Field],
    *,
    numbers: Mapping[str, Sequence[float]] | None = None,
    words: Mapping[str, Sequence[str]] | None = None,
    count: int = ROWS,
    holes: bool = False,
) -> dict[str, Column]:
    """Give ``count`` rows as columns.

    ``numbers`` are thresholds or bounds by input: half of an input's values are one of them, or lie a little beside
    it, since that is where two engines come apart; ``words`` are an input's known categories. With ``holes`` a tenth of
    the numbers is missing.
    """
    random = np.random.default_rng(_SEED)
    columns: dict[str, Column] = {}
    for field in inputs:
        if field.type == "BOOLEAN":
            columns[field.name] = random.integers(0, 2, count).astype(np.float64)
        elif field.type in {"DOUBLE", "FLOAT", "INTEGER"}:
            known = np.asarray((numbers or {}).get(field.name, ()), dtype=np.float64)
            values = _numbers(random, known, count=count, whole=field.type == "INTEGER")
            columns[field.name] = np.where(random.random(count) < _HOLES, np.nan, values) if holes else values
        else:
            labels = list((words or {}).get(field.name, ())) or ["a"]
            columns[field.name] = random.choice(np.array(labels, dtype=object), count)
    return columns


def _numbers(random: np.random.Generator, known: Column, *, count: int, whole: bool) -> Column:
    if not len(known):
        values = random.normal(0.0, 2.0, count)
    else:
        low, high = float(known.min()), float(known.max())
        margin = max((high - low) * 0.2, 0.1)
        values = random.uniform(low - margin, high + margin, count)
        picked = random.choice(known, count)
        nudge = random.choice(np.array([0.0, 1e-9, -1e-9]), count) * np.maximum(1.0, np.abs(picked))
        values = np.where(random.random(count) < 0.5, picked + nudge, values)
    return np.rint(values) if whole else values
