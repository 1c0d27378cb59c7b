"""Measurements: posted one by one or many at once, asked for by device, time and series."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from zementis.devices import measurement_queries, measurements
from zementis.devices.exceptions import InvalidContent, MeasurementNotFound, ObjectNotFound
from zementis.devices.measurement_queries import Filter, StoredMeasurement
from zementis.devices.measurements import NewMeasurement
from zementis.errors import Unprocessable
from zementis.job_form import shown
from zementis.platform import representations
from zementis.platform.base import PlatformView, flag, identifier, instant, root, text
from zementis.platform.paging import PageRequest, collection

MAX_MEASUREMENTS = 50_000


def _filter(request: Request) -> Filter:
    source = text(request, "source")
    try:
        device = identifier(source) if source is not None else None
    except ObjectNotFound:
        raise Unprocessable(f"source must be the id of a device, not '{shown(source)}'.") from None
    return Filter(
        device=device,
        type=text(request, "type"),
        fragment=text(request, "valueFragmentType"),
        series=text(request, "valueFragmentSeries"),
        start=instant(request, "dateFrom"),
        end=instant(request, "dateTo"),
    )


class MeasurementsView(PlatformView):
    """``/measurement/measurements``"""

    room = "measurement"
    permissions: ClassVar = {
        "GET": "zementis.view_measurement",
        "POST": "zementis.add_measurement",
        "DELETE": "zementis.delete_measurement",
    }

    def get(self, request: Request) -> Response:
        """List measurements, the oldest first unless ``revert=true``."""
        page = PageRequest.of(request)
        wanted = _filter(request)
        matching, server = measurement_queries.matching(wanted), root(request)
        rows = measurement_queries.in_order(
            matching, of_device=wanted.device is not None, newest_first=flag(request, "revert")
        )
        data = collection(
            request,
            "measurements",
            list(rows[page.offset : page.offset + page.size + 1]),
            page,
            count=matching.count,
            render=lambda row: representations.measurement(server, measurement_queries.stored(row)),
        )
        return self.answer(request, data, kind="measurementcollection")

    def post(self, request: Request) -> Response:
        """Store one measurement, or all of ``{"measurements": […]}`` or none."""
        content = self.content(request, limit=settings.ZEMENTIS_BATCH_LIMIT_BYTES)
        many = isinstance(content, dict) and "measurements" in content
        entries = content["measurements"] if many else [content]
        if not isinstance(entries, list) or len(entries) > MAX_MEASUREMENTS:
            raise InvalidContent(f"measurements must be a list of at most {MAX_MEASUREMENTS} measurements.")
        new = [measurements.read(entry) for entry in entries]
        try:
            ids = measurements.store(new)
        except ObjectNotFound as error:
            raise Unprocessable(f"The source of a measurement does not exist: {error}") from error
        if not request.META.get("HTTP_ACCEPT", "").strip():
            return self.created(request, None, kind="measurementcollection" if many else "measurement")
        server = root(request)
        made = (_as_stored(number, item) for number, item in zip(ids, new, strict=True))
        rendered = [representations.measurement(server, item) for item in made]
        if many:
            return self.created(request, {"measurements": rendered}, kind="measurementcollection")
        return self.created(request, rendered[0], kind="measurement", location=rendered[0]["self"])

    def delete(self, request: Request) -> Response:
        """Delete the measurements that match; all of them at once is not offered."""
        wanted = _filter(request)
        if wanted == Filter():
            raise Unprocessable("Name at least one of source, type, valueFragmentType, dateFrom and dateTo.")
        measurement_queries.delete_matching(wanted)
        return Response(status=204)


class MeasurementView(PlatformView):
    """``/measurement/measurements/{id}``"""

    room = "measurement"
    permissions: ClassVar = {"GET": "zementis.view_measurement", "DELETE": "zementis.delete_measurement"}

    def get(self, request: Request, measurement: str) -> Response:
        """Return a measurement."""
        found = measurement_queries.get(_number(measurement))
        return self.answer(request, representations.measurement(root(request), found), kind="measurement")

    def delete(self, request: Request, measurement: str) -> Response:
        """Delete a measurement."""
        measurement_queries.delete(_number(measurement))
        return Response(status=204)


def _number(segment: str) -> int:
    try:
        return identifier(segment)
    except ObjectNotFound:
        raise MeasurementNotFound(f"Measurement with id '{shown(segment)}' not found.") from None


def _as_stored(number: int, item: NewMeasurement) -> StoredMeasurement:
    series: tuple[tuple[str, str, str | None, float], ...] = tuple(
        (*names, value) for names, value in zip(item.layout.series, item.values, strict=True)
    )
    extra: dict[str, Any] | None = item.extra
    return StoredMeasurement(number, item.device, item.time, item.layout.type, series, extra)
