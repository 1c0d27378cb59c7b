"""The local data source: devices and measurements of the project's own database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import DatabaseError

from zementis.arguments import SeriesName, Window
from zementis.devices import managed_objects
from zementis.devices.exceptions import ObjectNotFound
from zementis.devices.source import LOCAL, Batch, Chunk, DataSourceError, Target


class LocalSource:
    """Implements ``DataSource`` on the tables of this project."""

    name = LOCAL

    def target(self, identifier: int) -> Target | None:
        """Return what ``identifier`` stands for, None where it is neither a device nor a group."""
        try:
            found = managed_objects.get(identifier)
        except ObjectNotFound:
            return None
        if found.is_group:
            return Target(found.pk, True, managed_objects.members(found.pk))
        return Target(found.pk, False, (found.pk,)) if found.is_device else None

    def measurements(
        self, devices: Sequence[int], *, series: Sequence[SeriesName], window: Window, limit: int
    ) -> Iterator[tuple[int, Chunk | None] | Batch]:
        """Give the devices' measurements; see ``DataSource``."""
        # NumPy stays out of the web server, which only looks up targets.
        from zementis.devices import windows

        try:
            yield from windows.chunks(devices, series=series, window=window, limit=limit)
        except DatabaseError as error:
            raise DataSourceError(f"The measurements could not be read: {error}", retryable=True) from error
