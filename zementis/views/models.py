"""Models: upload, look at, switch on and off, delete. PMML and ONNX have a path each and share the rest."""

from __future__ import annotations

import io
from typing import ClassVar

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse, HttpResponseBase
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from zementis import body, model_store, serializers
from zementis.errors import TooLarge
from zementis.inference.description import Format
from zementis.inference.limits import Limits
from zementis.model_store import StoredModel
from zementis.views.base import SurfaceView

# The form around a file costs a little too.
_FORM_BYTES = 64 * body.KILOBYTE


def uploaded_file(request: Request) -> tuple[bytes, str]:
    """Return content and name of the file a client sends: the form's ``file``, or the body with ``?file=name``."""
    limit = min(Limits().upload_bytes, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if body.media_type(request) != "multipart/form-data":
        return body.read(request, limit=limit), request.query_params.get("file", "")
    if body.declared_length(request) > limit + _FORM_BYTES:
        raise body.too_large(limit)
    try:
        sent = _form_files(request, limit=limit).get("file")
    except MultiPartParserError as error:
        raise ParseError(f"The form cannot be read: {error}.") from error
    except OSError as error:
        raise body.unreadable(error) from error
    if sent is None:
        raise ParseError("The form has no file in its field 'file'.")
    if (sent.size or 0) > limit:
        raise body.too_large(limit)
    return sent.read(), sent.name or ""


def _form_files(request: Request, *, limit: int) -> MultiValueDict[str, UploadedFile[bytes]]:
    http = request._request
    if body.is_plain(request):
        return http.FILES
    try:
        data = body.read(request, limit=limit + _FORM_BYTES)
    except TooLarge:
        # What counts for the client is the file, not the form around it.
        raise body.too_large(limit) from None
    return http.parse_file_upload({**http.META, "CONTENT_LENGTH": str(len(data))}, io.BytesIO(data))[1]


def _answer(model: StoredModel, *, status: int = 200) -> Response:
    return Response(serializers.model(model), status=status)


class ModelsView(SurfaceView):
    """``/service/zementis/models`` and ``/service/zementis/onnx/models``"""

    permissions: ClassVar = {
        "GET": "zementis.view_scoringmodel",
        "POST": "zementis.add_scoringmodel",
        "DELETE": "zementis.delete_scoringmodel",
    }
    model_format: Format = "PMML"

    def get(self, request: Request) -> Response:
        """List the models' names."""
        return Response({"models": model_store.names(format=self.model_format)})

    def post(self, request: Request) -> Response:
        """Upload a model."""
        content, name = uploaded_file(request)
        by = request.user.get_username()
        return _answer(model_store.upload(content, file_name=name, format=self.model_format, by=by), status=201)

    def delete(self, request: Request) -> Response:
        """Delete all models of this format."""
        for name in model_store.names(format=self.model_format):
            model_store.delete(name, by=request.user.get_username())
        return Response({"models": model_store.names(format=self.model_format)})


class NewModelView(SurfaceView):
    """``/service/zementis/model`` and ``/service/zementis/onnx/model``"""

    permissions: ClassVar = {"POST": "zementis.add_scoringmodel"}
    model_format: Format = "PMML"

    def post(self, request: Request) -> Response:
        """Upload a model."""
        content, name = uploaded_file(request)
        by = request.user.get_username()
        return _answer(model_store.upload(content, file_name=name, format=self.model_format, by=by), status=201)


class ModelView(SurfaceView):
    """``/service/zementis/model/{name}``"""

    permissions: ClassVar = {"GET": "zementis.view_scoringmodel", "DELETE": "zementis.delete_scoringmodel"}

    def get(self, request: Request, name: str) -> Response:
        """Return a model's information."""
        return _answer(model_store.get(name))

    def delete(self, request: Request, name: str) -> Response:
        """Delete a model and list what remains."""
        removed = model_store.get(name)
        model_store.delete(name, by=request.user.get_username())
        return Response({"models": model_store.names(format=removed.format)})


class ModelSourceView(SurfaceView):
    """``/service/zementis/model/{name}/source``"""

    permissions: ClassVar = {"GET": "zementis.view_scoringmodel"}

    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Return the file as it was uploaded."""
        model = model_store.get(name)
        content = model_store.source(model)
        packed = content.lstrip()[:1] != b"<"
        kind = "application/octet-stream" if packed else "application/xml"
        # A browser that opens it must not run what a model file may carry.
        return HttpResponse(
            content,
            content_type=kind,
            headers={"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"},
        )


class ModelSwitchView(SurfaceView):
    """``/service/zementis/model/{name}/activate`` and ``…/deactivate``"""

    permissions: ClassVar = {"PUT": "zementis.change_scoringmodel"}
    active = True

    def put(self, request: Request, name: str) -> Response:
        """Switch a model on or off."""
        return _answer(model_store.set_active(name, self.active, by=request.user.get_username()))
