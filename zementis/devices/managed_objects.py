"""The inventory's use cases. The only writer of ``ManagedObject`` and ``ChildReference``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from scheduler import deeds
from scheduler.strict_json import UnreadableJson, check_storable
from zementis.devices.exceptions import InvalidContent, ObjectNotFound
from zementis.models import ChildReference, ManagedObject

LARGEST_ID = 2**63 - 1
# Keys that the store gives itself; what a client sends under them is not kept.
GIVEN = frozenset(
    {
        "id",
        "self",
        "owner",
        "creationTime",
        "lastUpdated",
        "childAssets",
        "childDevices",
        "childAdditions",
        "assetParents",
        "deviceParents",
        "additionParents",
    }
)
_LENGTHS = {"type": 255, "name": 1000}


def get(identifier: int) -> ManagedObject:
    """Return a managed object. Raises ``ObjectNotFound``."""
    try:
        if not 0 < identifier <= LARGEST_ID:
            raise ManagedObject.DoesNotExist
        return ManagedObject.objects.get(pk=identifier)
    except ManagedObject.DoesNotExist:
        raise ObjectNotFound(f"No managedObject for id '{identifier}'!") from None


def create(content: Mapping[str, Any], *, by: str) -> ManagedObject:
    """Store a new managed object. Raises ``InvalidContent``."""
    known, fragments = _split(content)
    owner = content.get("owner")
    created = ManagedObject(
        owner=owner if isinstance(owner, str) and 0 < len(owner) <= 254 else by,
        fragments={key: value for key, value in fragments.items() if value is not None},
        **known,
    )
    created.save(force_insert=True)
    created.refresh_from_db()
    return created


def update(identifier: int, content: Mapping[str, Any]) -> ManagedObject:
    """Replace the keys that ``content`` names; null removes one. Raises ``ObjectNotFound``, ``InvalidContent``."""
    known, fragments = _split(content)
    with transaction.atomic():
        stored = ManagedObject.objects.select_for_update().filter(pk=min(identifier, LARGEST_ID)).first()
        if stored is None or stored.pk != identifier:
            raise ObjectNotFound(f"No managedObject for id '{identifier}'!")
        for name, value in known.items():
            setattr(stored, name, value)
        merged = {**stored.fragments, **fragments}
        stored.fragments = {key: value for key, value in merged.items() if value is not None}
        stored.updated_at = Now()
        stored.save(update_fields=[*known, "fragments", "updated_at"])
    stored.refresh_from_db()
    return stored


def delete(identifier: int, *, cascade: bool = False) -> None:
    """Delete a managed object with its measurements, and with ``cascade`` everything below it.

    Raises ``ObjectNotFound``.
    """
    get(identifier)
    doomed = [identifier, *below(identifier)] if cascade else [identifier]
    with transaction.atomic(), connection.cursor() as cursor:
        # Without the ORM, whose cascade would read every measurement before deleting it.
        cursor.execute("SELECT 1 FROM zementis_managedobject WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [doomed])
        cursor.execute("DELETE FROM zementis_measurement WHERE device_id = ANY(%s)", [doomed])
        cursor.execute("DELETE FROM zementis_devicelayout WHERE device_id = ANY(%s)", [doomed])
        cursor.execute(
            "DELETE FROM zementis_childreference WHERE parent_id = ANY(%s) OR child_id = ANY(%s)", [doomed, doomed]
        )
        cursor.execute("DELETE FROM zementis_managedobject WHERE id = ANY(%s)", [doomed])
        if cursor.rowcount == 0:
            raise ObjectNotFound(f"No managedObject for id '{identifier}'!")
        below_it = {"below": [len(doomed) - 1, 0]} if doomed[1:] else {}
        deeds.tell("managedobject.deleted", target=f"managed object {identifier}", changes=below_it)


def add_children(parent: int, children: Sequence[int], *, kind: str) -> None:
    """Make ``children`` children of ``parent``; those that are already stay. Raises ``ObjectNotFound``."""
    if parent in children:
        raise InvalidContent("A managed object cannot be its own child.")
    wanted = {parent, *children}
    with transaction.atomic():
        found = set(
            ManagedObject.objects.select_for_update(no_key=True)
            .filter(pk__in=[identifier for identifier in wanted if identifier <= LARGEST_ID])
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        for identifier in sorted(wanted - found):
            raise ObjectNotFound(f"No managedObject for id '{identifier}'!")
        ChildReference.objects.bulk_create(
            [ChildReference(parent_id=parent, child_id=child, kind=kind) for child in children], ignore_conflicts=True
        )
        _tell_children(parent, kind, "added", children)


def create_child(parent: int, content: Mapping[str, Any], *, kind: str, by: str) -> ManagedObject:
    """Create a managed object as a child of ``parent``. Raises ``ObjectNotFound``, ``InvalidContent``."""
    with transaction.atomic():
        child = create(content, by=by)
        add_children(parent, [child.pk], kind=kind)
    return child


def remove_children(parent: int, children: Sequence[int], *, kind: str) -> int:
    """End that ``children`` are children of ``parent``; return how many were. Raises ``ObjectNotFound``."""
    get(parent)
    with transaction.atomic():
        removed, _ = ChildReference.objects.filter(
            parent_id=parent, kind=kind, child_id__in=[child for child in children if child <= LARGEST_ID]
        ).delete()
        if removed:
            _tell_children(parent, kind, "removed", children)
    return removed


def _tell_children(parent: int, kind: str, how: str, children: Sequence[int]) -> None:
    deeds.tell(
        "managedobject.changed", target=f"managed object {parent}", changes={f"{kind} {how}": list(children[:200])}
    )


_MEMBERS = """
WITH RECURSIVE below (id) AS (
    SELECT %(root)s::bigint
    UNION
    SELECT r.child_id FROM below b JOIN zementis_managedobject p ON p.id = b.id AND p.fragments ? %(group)s
      JOIN zementis_childreference r ON r.parent_id = b.id AND r.kind = 'asset'
)
SELECT o.id FROM below JOIN zementis_managedobject o USING (id) WHERE o.fragments ? %(device)s ORDER BY o.id
"""


def members(group: int) -> tuple[int, ...]:
    """Return the ids of the devices below a group, sub-groups included, ascending; a cycle of groups is no danger."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, {"root": group, "group": "c8y_IsDeviceGroup", "device": "c8y_IsDevice"})
        return tuple(row[0] for row in cursor.fetchall())


def below(identifier: int) -> list[int]:
    """Return the ids of everything below a managed object, in every family of children."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE below (id) AS (
                SELECT child_id FROM zementis_childreference WHERE parent_id = %s
                UNION SELECT r.child_id FROM below b JOIN zementis_childreference r ON r.parent_id = b.id
            ) SELECT id FROM below
            """,
            [identifier],
        )
        return [row[0] for row in cursor.fetchall()]


def _split(content: Mapping[str, Any]) -> tuple[dict[str, str | None], dict[str, Any]]:
    """Return the keys that are columns, and the fragments. Raises ``InvalidContent``."""
    try:
        check_storable(dict(content))
    except UnreadableJson as error:
        raise InvalidContent(f"The managed object cannot be kept: {error}.") from None
    known: dict[str, str | None] = {}
    for name, longest in _LENGTHS.items():
        if name in content:
            value = content[name]
            if value is not None and (not isinstance(value, str) or len(value) > longest):
                raise InvalidContent(f"{name} must be text of at most {longest} characters.")
            known[name] = value
    fragments = {key: value for key, value in content.items() if key not in GIVEN and key not in _LENGTHS}
    return known, fragments
