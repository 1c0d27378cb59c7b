"""How much of everything a benchmark of the clock measures."""

from __future__ import annotations

from dataclasses import dataclass

# More than this, and the stock scheduler takes minutes to answer anything.
MOST_STOCK_ENTRIES = 100_000


@dataclass(frozen=True)
class Plan:
    """How much of everything is measured."""

    jobs: tuple[int, ...]
    bursts: tuple[int, ...]
    alone: int
    rates: tuple[int, ...]
    steady_seconds: int
    shape_minutes: int
    shape_average: int
    stock_burst_seconds: float
    stock_sizes: tuple[int, ...]
