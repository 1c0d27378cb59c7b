"""The model store: upload, replace, activate, deactivate, delete. The only writer of the models' tables."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction

from scheduler import deeds
from scheduler.strict_json import UnreadableJson, check_storable
from zementis import inference
from zementis.inference import Engine, InvalidModel, ModelDescription, Scorer
from zementis.inference.description import Format
from zementis.models import ModelSource, ModelVersion, ScoringModel

logger = logging.getLogger(__name__)

MAX_NAME = 255
_INSPECTIONS = threading.BoundedSemaphore(2)
_PATIENCE_SECONDS = 60.0


class ModelNotFound(Exception):
    """There is no model of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Model '{name}' not found.")
        self.name = name


class ModelExists(Exception):
    """A model of that name exists already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A model with the name '{name}' already exists.")
        self.name = name


class StoreBusy(Exception):
    """Other files are being checked; each check may take gigabytes of address space and a processor."""

    def __init__(self) -> None:
        super().__init__("Other models are being checked; try again in a minute.")


@dataclass(frozen=True)
class StoredModel:
    """A model with its current version; the file itself is read only when it is asked for."""

    name: str
    active: bool
    version: int
    content_hash: str
    format: Format
    file_name: str
    description: ModelDescription
    uploaded_at: Any


def get(name: str) -> StoredModel:
    """Return a model by name. Raises ``ModelNotFound``."""
    if "\x00" in name or len(name) > MAX_NAME or not name.isprintable():
        raise ModelNotFound(name)
    version = ModelVersion.objects.filter(model__name=name, current=True).select_related("model").first()
    if version is None:
        raise ModelNotFound(name)
    return _stored(version)


def names(*, format: Format | None = None) -> list[str]:  # noqa: A002 - the field's word
    """Return the names of the models, of one format or of all."""
    versions = ModelVersion.objects.filter(current=True)
    if format is not None:
        versions = versions.filter(format=format)
    return list(versions.order_by("model__name").values_list("model__name", flat=True))


def source(model: StoredModel) -> bytes:
    """Return the file of a model's current version as it was uploaded. Raises ``ModelNotFound``."""
    found = ModelSource.objects.filter(pk=model.content_hash).values_list("content", flat=True).first()
    if found is None:
        raise ModelNotFound(model.name)
    return bytes(found)


def load(model: StoredModel) -> Scorer:
    """Return a scorer of the model from this process's cache, which also forgets files no model uses any more."""
    drop_stale()
    engine: Engine = model.description.engine
    return inference.cache.get(
        model.content_hash,
        lambda: inference.load(source(model), format=model.format, engine=engine),
    )


def drop_stale() -> None:
    """Forget loaded models that were replaced, deactivated or deleted since."""
    held = inference.cache.hashes()
    if held:
        used = set(
            ModelVersion.objects.filter(source_id__in=held, current=True, model__active=True).values_list(
                "source_id", flat=True
            )
        )
        for content_hash in held:
            if content_hash not in used:
                inference.cache.drop(content_hash)


def upload(content: bytes, *, file_name: str, format: Format, by: str) -> StoredModel:  # noqa: A002
    """Check a model file and store it as a new model. Raises ``InvalidModel``, ``ModelExists``, ``StoreBusy``."""
    description, name = _inspected(content, file_name=file_name, format=format)
    try:
        with transaction.atomic():
            model = ScoringModel.objects.create(name=name, created_by=by)
            version = _add_version(model, content, 1, description, file_name=file_name, format=format, by=by)
    except IntegrityError as error:
        if not ScoringModel.objects.filter(name=name).exists():
            raise
        raise ModelExists(name) from error
    logger.info("model.uploaded model=%s version=1 engine=%s by=%s", name, description.engine, by)
    return _stored(version)


def replace(name: str, content: bytes, *, file_name: str, by: str) -> StoredModel:
    """Check a file and make it the current version of an existing model; the same file again changes nothing.

    Raises ``InvalidModel``, ``ModelNotFound``, ``StoreBusy``.
    """
    format: Format = get(name).format  # noqa: A001 - the field's word
    description, _ = _inspected(content, file_name=file_name, format=format)
    with transaction.atomic():
        model = ScoringModel.objects.select_for_update().filter(name=name).first()
        if model is None:
            raise ModelNotFound(name)
        versions = ModelVersion.objects.filter(model=model)
        known = versions.filter(source_id=_hash(content)).first()
        versions.filter(current=True).exclude(source_id=_hash(content)).update(current=False)
        if known is not None:
            versions.filter(pk=known.pk).update(current=True)
            deeds.tell("scoringmodel.reverted", target=name, changes={"version": [None, known.number]}, by=by)
        else:
            last = versions.order_by("-number").values_list("number", flat=True).first() or 0
            _add_version(model, content, last + 1, description, file_name=file_name, format=format, by=by)
    logger.info("model.replaced model=%s by=%s", name, by)
    return get(name)


def set_active(name: str, active: bool, *, by: str) -> StoredModel:
    """Activate or deactivate a model. Raises ``ModelNotFound``."""
    get(name)
    with transaction.atomic():
        if ScoringModel.objects.filter(name=name).exclude(active=active).update(active=active):
            deeds.tell("scoringmodel.changed", target=name, changes={"active": [not active, active]}, by=by)
    logger.info("model.%s model=%s by=%s", "activated" if active else "deactivated", name, by)
    return get(name)


def delete(name: str, *, by: str) -> None:
    """Delete a model with its versions and their files. Raises ``ModelNotFound``."""
    get(name)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM zementis_scoringmodel WHERE name = %s FOR UPDATE", [name])
        row = cursor.fetchone()
        if row is None:
            raise ModelNotFound(name)
        cursor.execute("DELETE FROM zementis_modelversion WHERE model_id = %s RETURNING source_id", [row[0]])
        hashes = [found[0] for found in cursor.fetchall()]
        cursor.execute("DELETE FROM zementis_scoringmodel WHERE id = %s", [row[0]])
        deeds.tell("scoringmodel.deleted", target=name, changes={"versions": [len(hashes), 0]}, by=by)
    # On its own: an upload of the same file may need the source again meanwhile, and then it stays.
    with suppress(IntegrityError), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM zementis_modelsource s WHERE s.content_hash = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM zementis_modelversion v WHERE v.source_id = s.content_hash)",
            [hashes],
        )
    logger.info("model.deleted model=%s by=%s", name, by)


def _inspected(content: bytes, *, file_name: str, format: Format) -> tuple[ModelDescription, str]:  # noqa: A002
    if not _INSPECTIONS.acquire(timeout=_PATIENCE_SECONDS):
        raise StoreBusy
    try:
        description = inference.inspect(content, format=format)
    finally:
        _INSPECTIONS.release()
    name = (description.name or _without_extensions(file_name)).strip()
    if not name:
        raise InvalidModel("The model has no name: its file gives none, and neither does the upload.")
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidModel(f"A model's name is printable text of at most {MAX_NAME} characters.")
    if "/" in name or name in {".", ".."}:
        # No address could name it: clients and servers take these apart.
        raise InvalidModel(f"A model's name has no '/' and is not '.' or '..'; this one is '{name}'.")
    try:
        check_storable(description.to_json())
    except UnreadableJson as error:
        raise InvalidModel(f"The model's names cannot be kept: {error}.") from None
    return description, name


def _without_extensions(file_name: str) -> str:
    """Return ``Iris`` for ``C:\\models\\Iris.pmml.gz``."""
    name = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    for _ in range(2):
        stem, dot, extension = name.rpartition(".")
        if dot and extension.lower() in {"pmml", "xml", "onnx", "zip", "gz", "gzip"}:
            name = stem
    return name


def _add_version(
    model: ScoringModel,
    content: bytes,
    number: int,
    description: ModelDescription,
    *,
    file_name: str,
    format: Format,  # noqa: A002
    by: str,
) -> ModelVersion:
    content_hash = _hash(content)
    ModelSource.objects.bulk_create([ModelSource(content_hash=content_hash, content=content)], ignore_conflicts=True)
    version = ModelVersion.objects.create(
        model=model,
        number=number,
        source_id=content_hash,
        format=format,
        file_name=_storable_name(file_name),
        size_bytes=len(content),
        description=description.to_json(),
        uploaded_by=by,
    )
    version.refresh_from_db()
    return version


def _storable_name(file_name: str) -> str:
    return "".join(character if character.isprintable() else "_" for character in file_name)[:255]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stored(version: ModelVersion) -> StoredModel:
    description: Mapping[str, Any] = version.description
    return StoredModel(
        name=version.model.name,
        active=version.model.active,
        version=version.number,
        content_hash=version.source_id,
        format="ONNX" if version.format == ModelVersion.Format.ONNX else "PMML",
        file_name=version.file_name,
        description=ModelDescription.from_json(description),
        uploaded_at=version.uploaded_at,
    )
