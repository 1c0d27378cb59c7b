"""The page of one model: its fields, how it is run and why, its versions, the jobs that use it, a record to try."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from scheduler.models import Execution, Job
from zementis import model_store, records
from zementis.inference import ModelDescription, ScoringError
from zementis.inference_pages import SHOWN
from zementis.job_type import KIND
from zementis.model_store import ModelNotFound, StoredModel
from zementis.models import ScoringModel
from zementis.records import TooManyRecords, UnreadableRecord
from zementis.scoring_process import process

JOBS = 50
_ENGINES = {
    "trees": "compiled trees, run by onnxruntime",
    "pypmml": "pypmml (PMML4S on Java)",
    "onnxruntime": "onnxruntime",
}


def response(
    model_admin: Any, request: HttpRequest, model: ScoringModel, *, record: str | None = None
) -> TemplateResponse:
    """Return the page; with ``record`` typed by the user, its outputs too."""
    try:
        stored = model_store.get(model.name)
    except ModelNotFound:
        # Deleted since it was looked for.
        raise Http404 from None
    outputs, refusal = _tried(stored, record) if record is not None else (None, "")
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": model,
        "title": model.name,
        "media": model_admin.media,
        "model": model,
        "stored": stored,
        "description": stored.description,
        "engine": _ENGINES[stored.description.engine],
        "versions": list(model.versions.order_by("-number")),
        "jobs": _jobs(model) if request.user.has_perm("scheduler.view_job") else None,
        "record": record if record is not None else _sample(stored.description),
        "outputs": outputs,
        "refusal": refusal,
        "may_change": model_admin.has_change_permission(request, model),
        "may_delete": model_admin.has_delete_permission(request, model),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "zementis/admin/model.html", context)


def _tried(stored: StoredModel, record: str) -> tuple[list[tuple[str, Any]] | None, str]:
    """Return the outputs of the first record, or why there are none."""
    try:
        found = records.from_json(record.encode("utf-8", "surrogatepass"))
        columns = records.columns(found[:1], stored.description.inputs)
        outputs = process.score(stored, columns)
    except (UnreadableRecord, TooManyRecords, ScoringError) as error:
        return None, str(error)
    return [(name, json.dumps(column[0])) for name, column in outputs.items() if column], ""


def _jobs(model: ScoringModel) -> list[Job]:
    newest = Execution.objects.filter(job=OuterRef("pk"), status__in=SHOWN).order_by("-number").values("pk")[:1]
    jobs = Job.objects.of_kind(KIND).with_state().filter(arguments__model=model.name)
    return list(jobs.annotate(newest=Subquery(newest)).order_by("-number")[:JOBS])


def _sample(description: ModelDescription) -> str:
    values = {"BOOLEAN": False, "STRING": ""}
    return json.dumps({item.name: values.get(item.type, 0) for item in description.inputs}, indent=2)
