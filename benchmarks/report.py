"""What a benchmark prints: tables for people, one JSON object for programs, and the machine they were measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of ``values`` lie: the nearest one, none made up between two."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def spread(seconds: Iterable[float]) -> dict[str, float]:
    """Return p50, p95, p99 and last of ``seconds``, in milliseconds. Raises ValueError for none."""
    values = sorted(seconds)
    if not values:
        raise ValueError("nothing was measured")
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    found = {f"{name}_ms": round(percentile(values, share) * 1000, 2) for name, share in shares.items()}
    return {**found, "last_ms": round(values[-1] * 1000, 2)}


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a Markdown table; the keys of all rows, in their order, are its columns."""
    print(f"\n### {title}\n", flush=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [
        max(len(column), *(len(row[place]) for row in cells)) if cells else len(column)
        for place, column in enumerate(columns)
    ]
    for line in (columns, ["-" * width for width in widths], *cells):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |", flush=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def write(results: Mapping[str, Any], path: Path | None) -> None:
    """Print ``results`` as one JSON object, or write it to ``path``."""
    text = json.dumps(results, indent=1)
    if path is None:
        print(f"\n{text}", flush=True)
    else:
        path.write_text(text + "\n")
        print(f"\nwritten to {path}", flush=True)
