"""Draws sampled stacks as a flame: each box a function, as wide as the share of time in it, callers above callees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

WIDTH = 1200
ROW = 18
# Boxes of less than this share are left out: nobody could read them.
LEAST_SHARE = 0.002
_LETTER = 6.3


@dataclass
class _Box:
    samples: int = 0
    below: dict[str, _Box] = field(default_factory=dict)


def drawn(stacks: Mapping[str, int], *, title: str, root: str) -> str:
    """Return an SVG of collapsed stacks (``outer;inner`` -> samples), from the outermost frame named ``root`` inwards.

    Stacks without ``root`` are left out, so that what a benchmark does beside its subject is not in the picture.
    """
    whole = _Box()
    for names, samples in _from(stacks, root).items():
        box = whole
        box.samples += samples
        for name in names:
            box = box.below.setdefault(name, _Box())
            box.samples += samples
    lines: list[str] = []
    depth = _draw(whole, lines, total=max(whole.samples, 1), left=0.0, row=0)
    height = (depth + 3) * ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace"'
        ' font-size="11">'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="6" y="16" font-size="13">{escape(title)} ({whole.samples} samples)</text>'
    )
    return "\n".join([head, *lines, "</svg>", ""])


def _from(stacks: Mapping[str, int], root: str) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for stack, samples in stacks.items():
        names = stack.split(";")
        if root in names:
            found[tuple(names[names.index(root) :])] += samples
    return found


def _draw(box: _Box, lines: list[str], *, total: int, left: float, row: int) -> int:
    """Draw what is below ``box``; return the deepest row."""
    deepest = row
    for name, child in sorted(box.below.items(), key=lambda item: -item[1].samples):
        share = child.samples / total
        if share < LEAST_SHARE:
            continue
        width = share * WIDTH
        top = (row + 1.5) * ROW
        label = f"{name} {share:.1%}"
        colour = f"hsl({30 - row * 3 % 30}, 85%, {62 + row % 3 * 5}%)"
        shown = label[: max(int((width - 6) / _LETTER), 0)]
        lines.append(
            f'<g><title>{escape(label)}</title><rect x="{left:.1f}" y="{top:.1f}" width="{max(width - 0.5, 0.5):.1f}"'
            f' height="{ROW - 1}" fill="{colour}"/>'
            + (f'<text x="{left + 3:.1f}" y="{top + 12.5:.1f}">{escape(shown)}</text>' if len(shown) > 2 else "")
            + "</g>"
        )
        deepest = max(deepest, _draw(child, lines, total=total, left=left, row=row + 1) if child.below else row + 1)
        left += width
    return deepest
