"""The inventory: managed objects."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from zementis.devices import managed_objects, measurement_queries
from zementis.devices.exceptions import InvalidContent
from zementis.models import ManagedObject
from zementis.platform import query, representations
from zementis.platform.base import PlatformView, flag, identifier, text
from zementis.platform.paging import PageRequest, collection

_LARGEST_ID = 2**63 - 1
_MAX_IDS = 2_000


def _object(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InvalidContent("A managed object must be a JSON object.")
    return content


def _represented(request: Request, found: ManagedObject) -> dict[str, Any]:
    return representations.managed_objects(
        request,
        [found],
        children=flag(request, "withChildren", default=True),
        names=not flag(request, "skipChildrenNames"),
        parents=flag(request, "withParents"),
    )[0]


class ManagedObjectsView(PlatformView):
    """``/inventory/managedObjects``"""

    room = "inventory"
    permissions: ClassVar = {"GET": "zementis.view_managedobject", "POST": "zementis.add_managedobject"}

    def get(self, request: Request) -> Response:
        """List managed objects by type, fragment, ids, text or query."""
        page = PageRequest.of(request)
        rows = _filtered(request)
        found = list(rows[page.offset : page.offset + page.size + 1])
        rendered = representations.managed_objects(
            request,
            found[: page.size],
            children=flag(request, "withChildren", default=True),
            names=not flag(request, "skipChildrenNames"),
            parents=flag(request, "withParents"),
        )
        by_place = dict(zip((item.pk for item in found), rendered, strict=False))
        data = collection(
            request, "managedObjects", found, page, count=rows.count, render=lambda item: by_place[item.pk]
        )
        return self.answer(request, data, kind="managedobjectcollection")

    def post(self, request: Request) -> Response:
        """Create a managed object."""
        made = managed_objects.create(_object(self.content(request)), by=request.user.get_username())
        return self.created(
            request,
            _represented(request, made),
            kind="managedobject",
            location=representations.object_url(request, made.pk),
        )


class ManagedObjectView(PlatformView):
    """``/inventory/managedObjects/{id}``"""

    room = "inventory"
    permissions: ClassVar = {
        "GET": "zementis.view_managedobject",
        "PUT": "zementis.change_managedobject",
        "DELETE": "zementis.delete_managedobject",
    }

    def get(self, request: Request, object: str) -> Response:  # noqa: A002 - the field's word
        """Return a managed object."""
        return self.answer(
            request, _represented(request, managed_objects.get(identifier(object))), kind="managedobject"
        )

    def put(self, request: Request, object: str) -> Response:  # noqa: A002
        """Change the keys that are sent; null removes one."""
        changed = managed_objects.update(identifier(object), _object(self.content(request)))
        return self.answer(request, _represented(request, changed), kind="managedobject")

    def delete(self, request: Request, object: str) -> Response:  # noqa: A002
        """Delete a managed object with its measurements; ``cascade=true`` takes what is below it along."""
        managed_objects.delete(identifier(object), cascade=flag(request, "cascade"))
        return Response(status=204)


class SupportedSeriesView(PlatformView):
    """``/inventory/managedObjects/{id}/supportedSeries``"""

    room = "inventory"
    permissions: ClassVar = {"GET": "zementis.view_managedobject"}

    def get(self, request: Request, object: str) -> Response:  # noqa: A002
        """List the series the device has sent."""
        device = managed_objects.get(identifier(object)).pk
        names = [str(name) for name, _ in measurement_queries.supported(device)]
        return self.answer(request, {"c8y_SupportedSeries": names}, kind="supportedseries")


class SupportedMeasurementsView(PlatformView):
    """``/inventory/managedObjects/{id}/supportedMeasurements``"""

    room = "inventory"
    permissions: ClassVar = {"GET": "zementis.view_managedobject"}

    def get(self, request: Request, object: str) -> Response:  # noqa: A002
        """List the fragments the device has sent."""
        device = managed_objects.get(identifier(object)).pk
        names = sorted({name.fragment for name, _ in measurement_queries.supported(device)})
        return self.answer(request, {"c8y_SupportedMeasurements": names}, kind="supportedmeasurements")


def _filtered(request: Request) -> QuerySet[ManagedObject]:
    rows: QuerySet[ManagedObject] = ManagedObject.objects.all()
    ids = text(request, "ids")
    if ids is not None:
        wanted = [int(part) for part in ids.split(",")[:_MAX_IDS] if part.strip().isascii() and part.strip().isdigit()]
        rows = rows.filter(pk__in=[value for value in wanted if value <= _LARGEST_ID])
    for name, column in (("type", "type"), ("owner", "owner"), ("name", "name")):
        value = text(request, name)
        if value is not None:
            rows = rows.filter(**{column: value})
    fragment = text(request, "fragmentType")
    if fragment is not None:
        rows = rows.filter(fragments__has_key=fragment)
    searched = text(request, "text")
    if searched is not None:
        rows = rows.filter(name__icontains=searched.strip("'").replace("*", ""))
    question = text(request, "q") or text(request, "query")
    if question is not None:
        return query.apply(rows, question, devices_only="q" in request.query_params)
    return rows.order_by("pk")
