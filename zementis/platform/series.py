"""Series over time, as charts want them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from zementis import instants
from zementis.arguments import SeriesName
from zementis.devices import managed_objects, measurement_queries
from zementis.errors import Unprocessable
from zementis.job_form import shown
from zementis.platform.base import PlatformView, flag, identifier, instant, text

_MAX_SERIES = 100
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, tzinfo=UTC)


class SeriesView(PlatformView):
    """``/measurement/measurements/series``"""

    room = "measurement"
    permissions: ClassVar = {"GET": "zementis.view_measurement"}

    def get(self, request: Request) -> Response:
        """Return a device's series: per instant, the smallest and the largest value of each."""
        source = text(request, "source")
        if source is None:
            raise Unprocessable("source is missing.")
        device = managed_objects.get(identifier(source)).pk
        table = measurement_queries.series_table(
            device,
            series=_series(request),
            start=instant(request, "dateFrom") or _FIRST,
            end=instant(request, "dateTo") or _LAST,
            bucket=_bucket(request),
            newest_first=flag(request, "revert"),
        )
        data = {
            "values": {
                instants.with_milliseconds(time): [
                    None if cell is None else {"min": cell[0], "max": cell[1]} for cell in cells
                ]
                for time, cells in table.values
            },
            "series": [
                {"type": name.fragment, "name": name.series, **({"unit": unit} if unit is not None else {"unit": None})}
                for name, unit in table.series
            ],
            "truncated": table.truncated,
        }
        return self.answer(request, data, kind="series")


def _series(request: Request) -> list[SeriesName]:
    names: list[SeriesName] = []
    sent = [part for value in request.query_params.getlist("series") for part in value.split(",") if part.strip()]
    if len(sent) > _MAX_SERIES:
        raise Unprocessable(f"At most {_MAX_SERIES} series can be asked for at once.")
    for part in sent:
        fragment, dot, name = part.strip().partition(".")
        if not (fragment and dot and name):
            raise Unprocessable(f"series must look like fragment.series, not '{shown(part)}'.")
        names.append(SeriesName(fragment, name))
    return list(dict.fromkeys(names))


def _bucket(request: Request) -> str | None:
    value = text(request, "aggregationType")
    if value is None:
        return None
    bucket = measurement_queries.BUCKETS.get(value.upper())
    if bucket is None:
        raise Unprocessable(f"aggregationType must be MINUTELY, HOURLY or DAILY, not '{shown(value)}'.")
    return bucket
