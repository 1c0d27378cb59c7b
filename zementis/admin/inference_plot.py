"""The plot of one device's inferences over time, as SVG drawn on the server: no script, the theme's colours.

Continuous outputs are lines, rows that another output marks are dots on them, categories are bars. Whole numbers are
categories where few are different: classes, clusters, 0 and 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from scheduler.models import Execution
from zementis.models import InferencePage
from zementis.page_decoding import decode

if TYPE_CHECKING:
    import numpy

    Floats: TypeAlias = numpy.ndarray[Any, numpy.dtype[numpy.float64]]

MAX_PAGES = 100
_BUCKETS = 400
_MARKS = 500
_CATEGORIES = 30
_WIDTH, _HEIGHT, _LEFT, _FOOT = 900, 180, 64, 20


@dataclass(frozen=True)
class Chart:
    """One output: its name, what is said about it, and its drawing."""

    name: str
    note: str
    drawing: SafeString


@dataclass(frozen=True)
class Plot:
    """All charts of a device, the rows they show and whether there are more."""

    charts: list[Chart]
    rows: int
    first: datetime
    last: datetime
    cut: bool


def plot(execution: Execution, device: int) -> Plot | None:
    """Return the plot, None where the device has no inferences. Shows the first 200,000 rows."""
    stored = InferencePage.objects.filter(execution=execution, attempt=execution.attempt, device=device)
    pages = list(stored.order_by("page").values_list("data", flat=True)[: MAX_PAGES + 1])
    if not pages:
        return None
    times: list[int] = []
    columns: dict[str, list[Any]] = {}
    for data in pages[:MAX_PAGES]:
        page = decode(device, bytes(data))
        times += page.times
        for name, values in page.columns.items():
            columns.setdefault(name, []).extend(values)
    marked = _marked(columns)
    charts = [_chart(name, times, values, marked) for name, values in columns.items()]
    return Plot(charts, len(times), _instant(times[0]), _instant(times[-1]), len(pages) > MAX_PAGES)


def _marked(columns: dict[str, list[Any]]) -> list[int]:
    """Return the rows that a boolean output marks, as ``outlier`` does, else those that an int output of 1 and -1 does.

    The latter is how scikit-learn's detectors of outliers answer, and with them their ONNX: -1 is the outlier.
    """
    for values in columns.values():
        if any(isinstance(value, bool) for value in values):
            return [place for place, value in enumerate(values) if value is True]
    for values in columns.values():
        if all(type(value) is int and value in (-1, 1) for value in values):
            return [place for place, value in enumerate(values) if value == -1]
    return []


def _chart(name: str, times: Sequence[int], values: list[Any], marked: Sequence[int]) -> Chart:
    known = [value for value in values if value is not None]
    numeric = known and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known)
    if not numeric or _is_category(known):
        counts = Counter(
            "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for value in values
        )
        return Chart(name, f"{len(counts)} different", _bars(counts))
    note = f"from {min(known):.6g} to {max(known):.6g}"
    return Chart(name, note, _line(name, times, values, marked))


def _is_category(known: Sequence[Any]) -> bool:
    """Whether numbers name something: they are whole, and no more are different than there is room for bars."""
    return all(type(value) is int for value in known) and len(set(known)) <= _CATEGORIES


def _line(name: str, times: Sequence[int], values: list[Any], marked: Sequence[int]) -> SafeString:
    """Draw the smallest and the largest value of each column of the picture, and the marked rows as dots."""
    import numpy as np

    heights: Floats = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
    if high == low:
        low, high = low - 0.5, high + 0.5
    first, last = times[0], max(times[-1], times[0] + 1)
    across = _LEFT + (np.array(times, dtype=np.float64) - first) / (last - first) * (_WIDTH - _LEFT - 8)
    down = 8 + (high - heights) / (high - low) * (_HEIGHT - _FOOT - 16)
    parts = [_axis(low, high), _feet(first, last)]
    parts.append(format_html('<path d="{}" fill="none" stroke="#3b82f6" stroke-width="1.2"/>', _path(across, down)))
    for place in list(marked)[:: max(1, len(marked) // _MARKS)]:
        if not np.isnan(down[place]):
            parts.append(
                format_html(
                    '<circle class="c-f-failed" cx="{}" cy="{}" r="3"><title>{} {}</title></circle>',
                    _n(across[place]),
                    _n(down[place]),
                    _instant(times[place]).strftime("%Y-%m-%d %H:%M:%S"),
                    f"{values[place]:.6g}",
                )
            )
    return _svg(parts, name=name, height=_HEIGHT)


def _path(across: Floats, down: Floats) -> str:
    """Return the line through the points; where they are dense, through the extremes of each picture column."""
    import numpy as np

    chosen = np.arange(len(down))
    if len(down) > 2 * _BUCKETS:
        edges = np.linspace(0, len(down), _BUCKETS + 1).astype(int)
        extremes: set[int] = set()
        for start, end in zip(edges, edges[1:], strict=False):
            part = down[start:end]
            if not np.isnan(part).all():
                extremes |= {start + int(np.nanargmin(part)), start + int(np.nanargmax(part))}
        chosen = np.array(sorted(extremes), dtype=int)
    words: list[str] = []
    drawing = False
    for place in chosen:
        if np.isnan(down[place]):
            drawing = False
            continue
        words.append(f"{'L' if drawing else 'M'}{_n(across[place])} {_n(down[place])}")
        drawing = True
    return "".join(words)


def _bars(counts: Counter[str]) -> SafeString:
    common = counts.most_common(_CATEGORIES)
    top = common[0][1]
    step = 24
    parts: list[SafeString] = []
    for place, (label, count) in enumerate(common):
        y = place * step + 4
        wide = max(1.0, count / top * (_WIDTH - 300))
        parts.append(
            format_html(
                '<g><title>{}: {}</title><rect class="c-f-running" x="190" y="{}" width="{}" height="16"/>'
                '<text x="184" y="{}" text-anchor="end">{}</text><text x="{}" y="{}">{}</text></g>',
                label,
                count,
                y,
                _n(wide),
                y + 12,
                label if len(label) <= 30 else f"{label[:29]}…",
                _n(196 + wide),
                y + 12,
                f"{count:,}",
            )
        )
    return _svg(parts, name="categories", height=len(common) * step + 4)


def _axis(low: float, high: float) -> SafeString:
    lines = ((8 + share * (_HEIGHT - _FOOT - 16), high - share * (high - low)) for share in (0.0, 0.5, 1.0))
    return format_html_join(
        "",
        '<line class="c-grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        ((_LEFT, _WIDTH, _n(y), _n(y), _LEFT - 6, _n(y + 4), f"{value:.4g}") for y, value in lines),
    )


def _feet(first: int, last: int) -> SafeString:
    return format_html(
        '<text x="{}" y="{}">{}</text><text x="{}" y="{}" text-anchor="end">{}</text>',
        _LEFT,
        _HEIGHT - 4,
        _instant(first).strftime("%Y-%m-%d %H:%M:%S"),
        _WIDTH - 8,
        _HEIGHT - 4,
        _instant(last).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def _svg(parts: Sequence[SafeString], *, name: str, height: int) -> SafeString:
    return format_html(
        '<svg class="c-chart c-chart-wide" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        _WIDTH,
        height,
        name,
        format_html_join("", "{}", ((part,) for part in parts)),
    )


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def _n(value: float) -> str:
    """Return a coordinate as short as it can be written."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
