"""Managed objects of the local store: devices, groups and whatever else clients keep in the inventory.

Only ``zementis.devices.managed_objects`` writes these tables.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

DEVICE = "c8y_IsDevice"
GROUP = "c8y_IsDeviceGroup"


class ManagedObjectQuerySet(models.QuerySet["ManagedObject"]):
    """Managed objects, asked for the way callers speak of them."""

    def devices(self) -> ManagedObjectQuerySet:
        return self.filter(fragments__has_key=DEVICE)

    def groups(self) -> ManagedObjectQuerySet:
        return self.filter(fragments__has_key=GROUP)


class ManagedObject(models.Model):
    """An entry of the inventory: a few known columns and any number of JSON fragments."""

    type = models.CharField(max_length=255, null=True, blank=True)
    name = models.CharField(max_length=1000, null=True, blank=True)
    owner = models.CharField(max_length=254)
    fragments = models.JSONField(default=dict, blank=True, help_text="Every other key of the object, as it was sent.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ManagedObjectQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            GinIndex(fields=["fragments"], name="managedobject_fragments"),
            models.Index(fields=["type", "id"], name="managedobject_type"),
            models.Index(fields=["name", "id"], name="managedobject_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.type or 'managed object'} ({self.pk})"

    @property
    def is_device(self) -> bool:
        """Whether measurements may come from it."""
        return DEVICE in self.fragments

    @property
    def is_group(self) -> bool:
        """Whether it stands for the devices below it."""
        return GROUP in self.fragments


class ChildReference(models.Model):
    """That one managed object is a child of another; the platform keeps three separate families of children."""

    class Kind(models.TextChoices):
        ASSET = "asset"
        DEVICE = "device"
        ADDITION = "addition"

    parent = models.ForeignKey(ManagedObject, models.CASCADE, related_name="child_references", db_index=False)
    child = models.ForeignKey(ManagedObject, models.CASCADE, related_name="parent_references", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["parent", "kind", "child"], name="childreference_unique"),
            models.CheckConstraint(condition=~Q(parent=F("child")), name="childreference_not_itself"),
            models.CheckConstraint(
                condition=Q(kind__in=("asset", "device", "addition")), name="childreference_kind_known"
            ),
        ]
        indexes = [models.Index(fields=["child", "kind"], name="childreference_child")]

    def __str__(self) -> str:
        return f"{self.child_id} is child {self.kind} of {self.parent_id}"
