"""Jobs of the Zementis service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler import jobs
from scheduler.exceptions import JobNotFound
from scheduler.models import Execution, Job, Status
from zementis import body, job_form, serializers
from zementis.job_type import KIND
from zementis.views.base import SurfaceView, streamed_list

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")


def find_job(segment: str) -> Job:
    """Return the job that a path segment names. Raises ``Http404`` with the reference's sentence."""
    try:
        if not _NUMBER.fullmatch(segment):
            raise JobNotFound
        return jobs.get(KIND, int(segment))
    except JobNotFound:
        raise Http404(f"Zementis job ID '{segment}' not found.") from None


def all_jobs() -> Iterator[dict[str, Any]]:
    """Give every job as the service writes it, the newest first as in the reference."""
    running = Execution.objects.filter(job=OuterRef("pk"), status=Status.RUNNING)
    stored = Job.objects.of_kind(KIND).with_state().annotate(running=Exists(running)).order_by("-number")
    for item in stored.iterator(chunk_size=500):
        yield serializers.job(item, running=getattr(item, "running", False))


class JobScopedView(SurfaceView):
    """A resource below one job: the job is looked up first, even before the method is refused."""

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Tell that the job is missing, if it is, else that the method is not allowed."""
        find_job(kwargs["job"])
        return super().http_method_not_allowed(request, *args, **kwargs)


class JobsView(SurfaceView):
    """``/service/zementis/jobs``"""

    permissions: ClassVar = {"GET": "scheduler.view_job", "DELETE": "scheduler.delete_job"}

    def get(self, request: Request) -> HttpResponseBase:
        """List all jobs."""
        return streamed_list(all_jobs())

    def delete(self, request: Request) -> HttpResponseBase:
        """Delete all jobs and list what remains."""
        for stored in Job.objects.of_kind(KIND).order_by("number").iterator(chunk_size=500):
            # Somebody else may have deleted it meanwhile.
            with suppress(JobNotFound):
                jobs.delete(stored, by=request.user.get_username())
        return streamed_list(all_jobs())


class NewJobView(SurfaceView):
    """``/service/zementis/job``"""

    permissions: ClassVar = {"POST": "scheduler.add_job"}

    def post(self, request: Request) -> Response:
        """Create a job."""
        sent = body.json(request)
        stored = job_form.create(sent, by=request.user.get_username())
        return Response(serializers.created_job(stored, mappings=sent["modelToDeviceMappings"]), status=201)


class JobView(JobScopedView):
    """``/service/zementis/job/{jobId}``"""

    permissions: ClassVar = {"GET": "scheduler.view_job", "DELETE": "scheduler.delete_job"}

    def get(self, request: Request, job: str) -> Response:
        """Return a job."""
        stored = find_job(job)
        running = Execution.objects.of(stored).filter(status=Status.RUNNING).exists()
        return Response(serializers.job(stored, running=running))

    def delete(self, request: Request, job: str) -> HttpResponseBase:
        """Delete a job and list what remains."""
        try:
            jobs.delete(find_job(job), by=request.user.get_username())
        except JobNotFound:
            raise Http404(f"Zementis job ID '{job}' not found.") from None
        return streamed_list(all_jobs())
