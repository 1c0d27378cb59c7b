"""Children of managed objects: three families with the same resources."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from zementis import body
from zementis.devices import managed_objects
from zementis.devices.exceptions import InvalidContent, ObjectNotFound
from zementis.models import ChildReference
from zementis.platform import representations
from zementis.platform.base import VENDOR, PlatformView, identifier
from zementis.platform.paging import PageRequest, collection

_KINDS = {family: kind for kind, family in representations.FAMILIES.items()}
_MAX_REFERENCES = 10_000


def _child_id(entry: Any) -> int:
    target = entry.get("managedObject") if isinstance(entry, dict) else None
    value = target.get("id") if isinstance(target, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidContent('A reference must look like {"managedObject": {"id": "…"}}.')
    return identifier(str(value))


def _child_ids(content: Any) -> list[int]:
    """Return the ids of one reference or of a collection of them."""
    entries = content.get("references") if isinstance(content, dict) and "references" in content else [content]
    if not isinstance(entries, list) or not entries or len(entries) > _MAX_REFERENCES:
        raise InvalidContent(f"references must be a list of 1 to {_MAX_REFERENCES} references.")
    return list(dict.fromkeys(_child_id(entry) for entry in entries))


class ChildrenView(PlatformView):
    """``/inventory/managedObjects/{id}/childAssets`` and its siblings"""

    room = "inventory"
    permissions: ClassVar = {
        "GET": "zementis.view_managedobject",
        "POST": "zementis.change_managedobject",
        "DELETE": "zementis.change_managedobject",
    }

    def get(self, request: Request, object: str, family: str) -> Response:  # noqa: A002 - the field's word
        """List the children."""
        parent = managed_objects.get(identifier(object)).pk
        page = PageRequest.of(request)
        rows = (
            ChildReference.objects.filter(parent_id=parent, kind=_KINDS[family])
            .select_related("child")
            .defer("child__fragments")
            .order_by("pk")
        )
        data = collection(
            request,
            "references",
            list(rows[page.offset : page.offset + page.size + 1]),
            page,
            count=rows.count,
            render=lambda row: representations.reference(request, parent, family, row.child),
        )
        return self.answer(request, data, kind="managedobjectreferencecollection")

    def post(self, request: Request, object: str, family: str) -> Response:  # noqa: A002
        """Make objects children, or create a new object as one."""
        parent = managed_objects.get(identifier(object)).pk
        content = self.content(request)
        if body.media_type(request) == f"{VENDOR}managedobject+json":
            return self._create(request, parent, family, content)
        ids = _child_ids(content)
        managed_objects.add_children(parent, ids, kind=_KINDS[family])
        references = [
            representations.reference(request, parent, family, managed_objects.get(child)) for child in ids[:100]
        ]
        if "references" in content:
            return self.created(request, {"references": references}, kind="managedobjectreferencecollection")
        return self.created(request, references[0], kind="managedobjectreference", location=references[0]["self"])

    def delete(self, request: Request, object: str, family: str) -> Response:  # noqa: A002
        """End that the referenced objects are children."""
        managed_objects.remove_children(identifier(object), _child_ids(self.content(request)), kind=_KINDS[family])
        return Response(status=204)

    def _create(self, request: Request, parent: int, family: str, content: Any) -> Response:
        if not isinstance(content, dict):
            raise InvalidContent("A managed object must be a JSON object.")
        child = managed_objects.create_child(parent, content, kind=_KINDS[family], by=request.user.get_username())
        data = representations.managed_objects(request, [child], children=True, names=True, parents=False)[0]
        return self.created(request, data, kind="managedobject", location=data["self"])


class ChildView(PlatformView):
    """``/inventory/managedObjects/{id}/childAssets/{child}`` and its siblings"""

    room = "inventory"
    permissions: ClassVar = {"GET": "zementis.view_managedobject", "DELETE": "zementis.change_managedobject"}

    def get(self, request: Request, object: str, family: str, child: str) -> Response:  # noqa: A002
        """Return the reference to a child."""
        parent = managed_objects.get(identifier(object)).pk
        row = (
            ChildReference.objects.filter(parent_id=parent, kind=_KINDS[family], child_id=identifier(child))
            .select_related("child")
            .first()
            if identifier(child) <= managed_objects.LARGEST_ID
            else None
        )
        if row is None:
            raise ObjectNotFound(f"No managedObject for id '{child}'!")
        data = representations.reference(request, parent, family, row.child)
        return self.answer(request, data, kind="managedobjectreference")

    def delete(self, request: Request, object: str, family: str, child: str) -> Response:  # noqa: A002
        """End that an object is a child."""
        if not managed_objects.remove_children(identifier(object), [identifier(child)], kind=_KINDS[family]):
            raise ObjectNotFound(f"No managedObject for id '{child}'!")
        return Response(status=204)
