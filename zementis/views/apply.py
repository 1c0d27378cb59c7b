"""Scoring of records that come with the request."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import APIException, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from zementis import body, model_store, records
from zementis.model_store import StoredModel
from zementis.records import TooManyRecords, UnreadableRecord
from zementis.scoring_process import process
from zementis.views.base import SurfaceView
from zementis.views.models import uploaded_file

TYPES = ("application/json", "text/csv")
# Records that nobody gave a type, or the one that command line clients give all they send, are told by how they begin.
LENIENT_TYPES = (
    *("", "text/plain", "application/x-www-form-urlencoded"),
    *("application/*+json", "text/json", "application/csv"),
)


class NotActive(APIException):
    """The model is switched off."""

    status_code = 409
    default_code = "inactive"


class ApplyView(SurfaceView):
    """``/service/zementis/apply/{name}``"""

    permissions: ClassVar = {"GET": "zementis.view_scoringmodel", "POST": "zementis.view_scoringmodel"}

    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Score the JSON record of ``?record=``."""
        model = _active(name)
        record = request.query_params.get("record")
        if record is None:
            raise ParseError("The parameter record is missing.")
        try:
            return self._scored(request, model, records.from_json(record.encode("utf-8", "surrogatepass")))
        except (UnreadableRecord, TooManyRecords) as error:
            raise ParseError(str(error)) from error

    def post(self, request: Request, name: str) -> HttpResponseBase:
        """Score the records of a CSV or JSON body, or of such a file in a form."""
        model = _active(name)
        if body.media_type(request) == "multipart/form-data":
            data, _ = uploaded_file(request)
            if len(data) > settings.ZEMENTIS_BATCH_LIMIT_BYTES:
                raise body.too_large(settings.ZEMENTIS_BATCH_LIMIT_BYTES)
        else:
            body.require_type(body.media_type(request), TYPES, also=LENIENT_TYPES)
            data = body.read(request, limit=settings.ZEMENTIS_BATCH_LIMIT_BYTES)
        try:
            looks_like_json = data.lstrip()[:1] in (b"{", b"[")
            found = records.from_json(data) if looks_like_json else records.from_csv(data)
            return self._scored(request, model, found)
        except (UnreadableRecord, TooManyRecords) as error:
            raise ParseError(str(error)) from error

    def _scored(self, request: Request, model: StoredModel, found: Sequence[Any]) -> HttpResponseBase:
        columns = records.columns(found, model.description.inputs)
        outputs = process.score(model, columns) if found else {}
        names = list(outputs)
        rows = list(zip(*outputs.values(), strict=True))
        if "text/csv" in request.META.get("HTTP_ACCEPT", ""):
            return _csv(names, rows)
        return Response({"model": model.name, "outputs": [dict(zip(names, row, strict=True)) for row in rows]})


def _active(name: str) -> StoredModel:
    model = model_store.get(name)
    if not model.active:
        raise NotActive(f"Model '{model.name}' is not active.")
    return model


def _csv(names: list[str], rows: Sequence[Sequence[Any]]) -> HttpResponse:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow(
            ["" if value is None else str(value).lower() if isinstance(value, bool) else value for value in row]
        )
    return HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
