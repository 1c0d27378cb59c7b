"""Scoring models: PMML and ONNX files under a name. Only ``zementis.model_store`` writes these tables."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from zementis.inference import ModelDescription


class ScoringModel(models.Model):
    """A model as jobs refer to it: by name."""

    name = models.CharField(max_length=255, unique=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=254, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="scoringmodel_name_not_empty")]

    def __str__(self) -> str:
        return self.name


class ModelSource(models.Model):
    """The bytes of a model file, stored once however many versions are made of them."""

    content_hash = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the content.")
    content = models.BinaryField(help_text="As it was uploaded, packed or not.")

    def __str__(self) -> str:
        return self.content_hash


class ModelVersion(models.Model):
    """One file a model has had; exactly one version of a model is current."""

    class Format(models.TextChoices):
        PMML = "PMML"
        ONNX = "ONNX"

    model = models.ForeignKey(ScoringModel, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, … per model.")
    source = models.ForeignKey(ModelSource, models.PROTECT, related_name="versions")
    format = models.CharField(max_length=4, choices=Format.choices)
    file_name = models.CharField(max_length=255)
    size_bytes = models.PositiveIntegerField()
    description = models.JSONField(help_text="What the inspection found: fields, class, engine.")
    current = models.BooleanField(default=True)
    uploaded_at = models.DateTimeField(db_default=Now())
    uploaded_by = models.CharField(max_length=254)

    class Meta:
        ordering = ["model", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="modelversion_number_unique"),
            models.UniqueConstraint(fields=["model"], condition=Q(current=True), name="modelversion_one_current"),
            models.CheckConstraint(condition=Q(format__in=("PMML", "ONNX")), name="modelversion_format_known"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of model {self.model_id}"

    @property
    def described(self) -> ModelDescription:
        """The description as a value."""
        return ModelDescription.from_json(self.description)
