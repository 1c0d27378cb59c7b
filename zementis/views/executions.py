"""Executions of jobs, and their inferences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from django.http import Http404, HttpResponseBase
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.models import Execution, Job
from zementis import inference_pages, instants, serializers
from zementis.arguments import Arguments
from zementis.job_form import shown
from zementis.page_decoding import Page
from zementis.views.base import dumps, positive, streamed, streamed_list
from zementis.views.jobs import JobScopedView, find_job

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_LAST_PAGE = 2**31 - 1


def find_execution(job: Job, segment: str) -> Execution:
    """Return the execution that a path segment names. Raises ``Http404`` with the reference's sentence."""
    found = None
    if _NUMBER.fullmatch(segment) and int(segment) < 2**63:
        found = Execution.objects.of(job).history().filter(number=int(segment)).first()
    if found is None:
        raise Http404(f"Job Execution number {segment} does not exist.")
    return found


def _for_group(job: Job) -> bool:
    return Arguments.from_json(job.arguments).is_group


class HistoryView(JobScopedView):
    """``/service/zementis/job/{jobId}/history``"""

    permissions: ClassVar = {"GET": "scheduler.view_execution"}

    def get(self, request: Request, job: str) -> HttpResponseBase:
        """List a job's executions, the oldest first."""
        stored = find_job(job)
        for_group = _for_group(stored)
        ended = Execution.objects.of(stored).history().oldest_first().iterator(chunk_size=500)
        return streamed_list(
            serializers.execution(item, job_number=stored.number, for_group=for_group) for item in ended
        )


class ExecutionView(JobScopedView):
    """``/service/zementis/job/{jobId}/history/{executionId}``"""

    permissions: ClassVar = {"GET": "scheduler.view_execution"}

    def get(self, request: Request, job: str, execution: str) -> Response:
        """Return an execution."""
        stored = find_job(job)
        found = find_execution(stored, execution)
        return Response(serializers.execution(found, job_number=stored.number, for_group=_for_group(stored)))


class InferencesView(JobScopedView):
    """``/service/zementis/job/{jobId}/history/{executionId}/inferences``"""

    permissions: ClassVar = {"GET": "scheduler.view_execution"}

    def get(self, request: Request, job: str, execution: str) -> HttpResponseBase:
        """Return page ``currentPage`` of every device's inferences, with instants if ``withTimestamps=true``."""
        stored = find_job(job)
        found = find_execution(stored, execution)
        page = _page(request.query_params.get("currentPage"))
        timestamps = f"timestamp_{stored.number}" if _flag(request, "withTimestamps") else None
        return streamed(_collection(inference_pages.read(found, min(page, _LAST_PAGE)), page, timestamps=timestamps))


def _page(text: str | None) -> int:
    if text is None:
        return 1
    number = positive(text)
    if number is None:
        raise ParseError(f"currentPage must be a positive whole number, not '{shown(text)}'.")
    return number


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text.lower() not in {"true", "false"}:
        raise ParseError(f"{name} must be true or false, not '{shown(text)}'.")
    return text.lower() == "true"


def _collection(pages: Iterator[Page], number: int, *, timestamps: str | None) -> Iterator[bytes]:
    """Give the answer in parts, one a device."""
    yield b'{"inferenceCollection":['
    for place, page in enumerate(pages):
        records: dict[str, Any] = dict(page.columns)
        if timestamps is not None:
            records[timestamps] = [instants.from_microseconds(time) for time in page.times]
        yield (b"," if place else b"") + dumps({"recordCollection": records, "deviceId": page.device})
    yield f'],"currentPage":{number}}}'.encode()
