"""What a source gives, device by device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zementis.devices import Batch, Chunk


def apart(found: Iterable[tuple[int, Chunk | None] | Batch]) -> Iterator[tuple[int, Chunk | None]]:
    """Give the devices of a batch one after the other, each with None at its end, and all else as it is."""
    for item in found:
        if not isinstance(item, Batch):
            yield item
            continue
        assert (item.edges[0], item.edges[-1]) == (0, len(item.times))
        edges = item.edges.tolist()
        for device, first, last in zip(item.devices, edges, edges[1:], strict=False):
            part = slice(first, last)
            if first < last:
                yield device, Chunk(item.times[part], tuple(column[part] for column in item.columns))
            yield device, None
