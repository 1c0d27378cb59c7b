"""Managed objects and measurements as the platform writes them: ids are strings, every object names its address."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rest_framework.request import Request

from zementis import instants
from zementis.devices.measurement_queries import StoredMeasurement
from zementis.models import ChildReference, ManagedObject
from zementis.platform.base import url

OBJECTS = "/inventory/managedObjects"
MEASUREMENTS = "/measurement/measurements"
FAMILIES = {"asset": "childAssets", "device": "childDevices", "addition": "childAdditions"}
_PARENTS = {"asset": "assetParents", "device": "deviceParents", "addition": "additionParents"}
# Beyond these, the children's own collection has to be asked.
MAX_REFERENCES = 1_000


def object_url(request: Request, identifier: int) -> str:
    """Return the address of a managed object."""
    return url(request, f"{OBJECTS}/{identifier}")


def reference(request: Request, owner: int, family: str, other: ManagedObject, *, names: bool = True) -> dict[str, Any]:
    """Return a reference to a child or parent."""
    target: dict[str, Any] = {"id": str(other.pk), "self": object_url(request, other.pk)}
    if names and other.name is not None:
        target["name"] = other.name
    return {"managedObject": target, "self": f"{object_url(request, owner)}/{family}/{other.pk}"}


def managed_objects(
    request: Request, found: Sequence[ManagedObject], *, children: bool, names: bool, parents: bool
) -> list[dict[str, Any]]:
    """Return managed objects with references to their children and parents, in two queries for all of them."""
    ids = [item.pk for item in found]
    below = _references(request, ids, side="parent", families=FAMILIES, names=names) if children else {}
    above = _references(request, ids, side="child", families=_PARENTS, names=names) if parents else {}
    return [
        _managed_object(
            request, item, {**_empty(request, item, parents), **below.get(item.pk, {}), **above.get(item.pk, {})}
        )
        for item in found
    ]


def _empty(request: Request, item: ManagedObject, parents: bool) -> dict[str, Any]:
    families = [*FAMILIES.values(), *(_PARENTS.values() if parents else ())]
    return {name: {"references": [], "self": f"{object_url(request, item.pk)}/{name}"} for name in families}


def _managed_object(request: Request, item: ManagedObject, families: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": str(item.pk),
        "self": object_url(request, item.pk),
        "type": item.type,
        "name": item.name,
        "owner": item.owner,
        "creationTime": instants.with_milliseconds(item.created_at),
        "lastUpdated": instants.with_milliseconds(item.updated_at),
    }
    return {
        **{key: value for key, value in known.items() if value is not None},
        **item.fragments,
        **families,
    }


def _references(
    request: Request, ids: Iterable[int], *, side: str, families: dict[str, str], names: bool
) -> dict[int, dict[str, Any]]:
    other = "child" if side == "parent" else "parent"
    rows = (
        ChildReference.objects.filter(**{f"{side}_id__in": list(ids)})
        .select_related(other)
        .defer(f"{other}__fragments")
        .order_by("pk")[:MAX_REFERENCES]
    )
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        owner = row.parent_id if side == "parent" else row.child_id
        family = families[row.kind]
        entry = found[owner].setdefault(family, {"references": [], "self": f"{object_url(request, owner)}/{family}"})
        entry["references"].append(reference(request, owner, family, getattr(row, other), names=names))
    return found


def measurement(server: str, stored: StoredMeasurement) -> dict[str, Any]:
    """Return a measurement with its values put back into their fragments. ``server``: this one's address."""
    fragments: dict[str, Any] = {
        name: dict(content) if isinstance(content, dict) else content for name, content in (stored.extra or {}).items()
    }
    for fragment, series, unit, value in stored.series:
        others = fragments.setdefault(fragment, {})
        entry = others.get(series)
        # A whole number goes out as one: most devices send whole numbers.
        number: float | int = int(value) if value.is_integer() and abs(value) < 2**53 else value
        others[series] = {
            **({"unit": unit} if unit is not None else {}),
            "value": number,
            **(entry if isinstance(entry, dict) else {}),
        }
    return {
        "id": str(stored.id),
        "self": f"{server}{MEASUREMENTS}/{stored.id}",
        "source": {"id": str(stored.device), "self": f"{server}{OBJECTS}/{stored.device}"},
        "type": stored.type,
        "time": instants.with_milliseconds(stored.time),
        **fragments,
    }
