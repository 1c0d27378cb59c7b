"""What a Zementis job is about: the arguments its job stores, and the window a run looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler.exceptions import InvalidJob
from scheduler.strict_json import storable_text
from zementis import instants

MAX_SECONDS = 10**9


@dataclass(frozen=True, order=True)
class SeriesName:
    """A series of measurements: fragment and series, as in ``c8y_Acceleration.accelerationX``."""

    fragment: str
    series: str

    @classmethod
    def parse(cls, path: str) -> SeriesName:
        """Read ``fragment.series.value``. Raises ``ValueError``. A dot after the first belongs to the series."""
        fragment, dot, rest = path.partition(".")
        series = rest.removesuffix(".value")
        if not (fragment.strip() and dot and series.strip() and series != rest and storable_text(path)):
            raise ValueError(path)
        return cls(fragment, series)

    def __str__(self) -> str:
        return f"{self.fragment}.{self.series}"


@dataclass(frozen=True)
class Window:
    """The half-open range of time [start, end) whose measurements a run scores. UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """A job's target, model, mapping and range of data; the schedule itself belongs to the core."""

    target: int
    """Id of the device or group."""
    is_group: bool
    model: str
    mappings: Mapping[str, str]
    """Model input -> ``fragment.series.value``."""
    data_from_previous_seconds: int | None = None
    data_from: datetime | None = None
    data_to: datetime | None = None

    @property
    def periodic(self) -> bool:
        """Whether the range moves along with the fires."""
        return self.data_from_previous_seconds is not None

    def series(self) -> dict[str, SeriesName]:
        """Return model input -> series."""
        return {name: SeriesName.parse(path) for name, path in self.mappings.items()}

    def window(self, fire: datetime) -> Window:
        """Return the range for a run due at ``fire``: the seconds before it, or the fixed range of a single run."""
        if self.data_from_previous_seconds is not None:
            return Window(fire - timedelta(seconds=self.data_from_previous_seconds), fire)
        if self.data_from is None or self.data_to is None:
            raise InvalidJob("arguments", "a job needs a range of data")
        return Window(self.data_from, self.data_to)

    def to_json(self) -> dict[str, Any]:
        """Return what the job stores."""
        return {
            "target": self.target,
            "is_group": self.is_group,
            "model": self.model,
            # As pairs: JSON in PostgreSQL does not keep the order of an object's keys, and clients see it again.
            "mappings": [[name, path] for name, path in self.mappings.items()],
            "data_from_previous_seconds": self.data_from_previous_seconds,
            "data_from": self.data_from.isoformat() if self.data_from else None,
            "data_to": self.data_to.isoformat() if self.data_to else None,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Arguments:
        """Undo ``to_json``. Raises ``InvalidJob`` naming what is wrong."""
        target, model, mappings = stored.get("target"), stored.get("model"), stored.get("mappings")
        if isinstance(target, bool) or not isinstance(target, int) or target < 1:
            raise InvalidJob("arguments", "target must be the id of a device or group")
        if not isinstance(model, str) or not model:
            raise InvalidJob("arguments", "model must be the name of a model")
        pairs = list(mappings.items()) if isinstance(mappings, Mapping) else mappings
        if not isinstance(pairs, list) or not pairs or not all(_is_pair(pair) for pair in pairs):
            raise InvalidJob("arguments", "mappings must give a series for each model input")
        for name, path in pairs:
            try:
                SeriesName.parse(path if isinstance(path, str) else "")
            except ValueError:
                raise InvalidJob(
                    "arguments", f"mappings: '{path}' for input '{name}' is not of the form fragment.series.value"
                ) from None
        return cls(
            target=target,
            is_group=stored.get("is_group") is True,
            model=model,
            mappings=dict(pairs),
            **_data_range(stored),
        )


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str)


def _data_range(stored: Mapping[str, Any]) -> dict[str, Any]:
    seconds, first, last = (stored.get(key) for key in ("data_from_previous_seconds", "data_from", "data_to"))
    if seconds is not None:
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds <= MAX_SECONDS:
            raise InvalidJob("arguments", f"data_from_previous_seconds must be from 1 to {MAX_SECONDS}")
        return {"data_from_previous_seconds": seconds}
    try:
        data_from, data_to = instants.parse(str(first)), instants.parse(str(last))
    except ValueError as error:
        raise InvalidJob("arguments", f"data_from and data_to must each be {error}") from None
    if data_from >= data_to:
        raise InvalidJob("arguments", "data_from must lie before data_to")
    return {"data_from": data_from, "data_to": data_to}
