"""The protocol of a data source, and the one in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from django.conf import settings

from zementis.arguments import SeriesName, Window

if TYPE_CHECKING:
    import numpy

    Floats: TypeAlias = numpy.ndarray[Any, numpy.dtype[numpy.float64]]
    Instants: TypeAlias = numpy.ndarray[Any, numpy.dtype[numpy.int64]]

LOCAL = "local"
CUMULOCITY = "cumulocity"


class DataSourceError(RuntimeError):
    """The source did not answer, or not usefully. ``retryable`` where the same question may be answered later."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True)
class Target:
    """A device, or a group and the devices below it, sub-groups included. Ids ascending."""

    id: int
    is_group: bool
    device_ids: tuple[int, ...]


@dataclass(frozen=True)
class Chunk:
    """Measurements of one device, in the order of time.

    ``times``: microseconds since 1970, UTC, ascending; an instant may come twice, the later one winning.
    ``columns``: one array per series asked for, in that order; NaN where the instant has no value of it.
    ``settled``: no later chunk of the device begins at the instant at which this one ends.
    """

    times: Instants
    columns: tuple[Floats, ...]
    settled: bool = False


@dataclass(frozen=True)
class Batch:
    """Everything that several devices sent, device after device, each as in a ``Chunk``.

    ``edges``: where each device's rows begin, and behind the last where they all end.
    """

    devices: tuple[int, ...]
    edges: Instants
    times: Instants
    columns: tuple[Floats, ...]


class DataSource(Protocol):
    """What a run asks of a source. Raises ``DataSourceError``."""

    name: str

    def target(self, identifier: int) -> Target | None:
        """Return what ``identifier`` stands for, None where it is neither a device nor a group."""

    def measurements(
        self, devices: Sequence[int], *, series: Sequence[SeriesName], window: Window, limit: int
    ) -> Iterator[tuple[int, Chunk | None] | Batch]:
        """Give the measurements of ``series`` inside ``window``, one device after the other as in ``devices``.

        A device's come in chunks of at most ``limit`` rows, with None after the last, or, also where it sent nothing,
        together with other devices' in a batch of at most ``limit`` rows.
        """


def data_source() -> DataSource:
    """Return the source that the setting names."""
    if settings.ZEMENTIS_DATA_SOURCE == CUMULOCITY:
        from zementis.devices.cumulocity import CumulocitySource

        return CumulocitySource.from_settings()
    from zementis.devices.local import LocalSource

    return LocalSource()
