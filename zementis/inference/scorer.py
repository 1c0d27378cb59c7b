"""The protocol every engine follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from zementis.inference.description import Engine, Field

if TYPE_CHECKING:
    import numpy

    Column: TypeAlias = numpy.ndarray[Any, numpy.dtype[Any]]
    Columns: TypeAlias = Mapping[str, Column]


class Scorer(Protocol):
    """A loaded model. Belongs to the process that loaded it and is never carried over a fork."""

    engine: Engine
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    accepts_missing: bool
    size_bytes: int
    """An estimate of what the loaded model holds in memory, for the cache."""

    words: dict[str, tuple[str, ...]]
    """The texts of the outputs that `coded` gives as numbers."""

    def score(self, columns: Columns) -> dict[str, Column]:
        """Score rows given as one array per input, all of one length, and give one array per output in declared order.

        In: float64 with NaN for a missing value; text inputs as arrays of str (None for missing), others ignored.
        Out: float64, or float32 where the model's output is no more precise (NaN where there is no value), bool, int64,
        or object arrays of str; a boolean or text output with missing values is an object array with None, an integer
        one becomes float64 with NaN.

        Raises ScoringError: an input column is absent, of the wrong type or length, or has missing values although
        the model does not say what to do with them; or the engine failed.
        """

    def coded(self, columns: Columns) -> dict[str, Column]:
        """Score rows as `score` does, but give the outputs in `words` as int64, places in their list of texts."""

    def close(self) -> None:
        """Let go of the loaded model; the scorer is unusable afterwards."""
