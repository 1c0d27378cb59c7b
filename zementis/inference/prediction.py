"""What the parts of a compiled model pass on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from zementis.inference.scorer import Column

Values: TypeAlias = "dict[str, Column]"


@dataclass(frozen=True)
class Prediction:
    """A number per row (regression), or a class and the classes' probabilities (classification)."""

    value: Column | None = None
    label: Column | None = None
    """Place of the winning class among the step's classes, -1 where there is no prediction."""
    probabilities: Column | None = None
    """Rows by classes."""


@dataclass(frozen=True)
class Step:
    """A part of a model: from the fields so far, the forest's targets and the number of rows to a prediction."""

    run: Callable[[Values, Column, int], Prediction]
    classes: tuple[str, ...] = ()
    """The classes of a classification, empty for a regression."""


Output: TypeAlias = "Callable[[Values, Prediction, int], Column]"
