"""The Scheduling Job APIs under ``/admin/api/jobs``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler import jobs
from scheduler.exceptions import JobNotFound
from scheduler.models import Execution, Job
from voltmx import errors, listing, serializers
from voltmx.body import read_object
from voltmx.views.base import JobsView, stream

KIND = "voltmx"
_LONGEST_NUMBER = 19


def job_of(number: str) -> Job:
    """Return the job whose id a path names. Raises ``JobNotFound``."""
    if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER):
        raise JobNotFound(number)
    return jobs.get(KIND, int(number))


class AllJobs(JobsView):
    """``/admin/api/jobs/job``: list, create, update."""

    needs = {"GET": ("view_job",), "POST": ("add_job",), "PUT": ("change_job", "pause_job")}

    def get(self, request: Request) -> StreamingHttpResponse:
        """Return all jobs."""
        return stream(listing.pieces())

    def post(self, request: Request) -> Response:
        """Create a job."""
        number, definition = serializers.read_new(read_object(request))
        jobs.create(KIND, definition, by=self.by, number=number)
        return errors.success()

    def put(self, request: Request) -> Response:
        """Change the job that ``jobId`` names. Who may only pause may change its ``jobStatus`` alone."""
        body = read_object(request)
        job = jobs.get(KIND, serializers.read_number(body))

        def changes(current: Job) -> Mapping[str, Any]:
            named = serializers.read_changes(body, current)
            if named.keys() - {"active"} and not request.user.has_perm("scheduler.change_job"):
                raise PermissionDenied
            return named

        jobs.update(job, changes, by=self.by)
        return errors.success()


class OneJob(JobsView):
    """``/admin/api/jobs/job1`` or ``/admin/api/jobs/job/1``: one job's details, delete."""

    needs = {"GET": ("view_job",), "DELETE": ("delete_job",)}

    def get(self, request: Request, number: str) -> Response:
        """Return the job."""
        return Response(serializers.shown_job(job_of(number)))

    def delete(self, request: Request, number: str) -> Response:
        """Delete the job with its history."""
        jobs.delete(job_of(number), by=self.by)
        return errors.success()


class RunNow(JobsView):
    """``/admin/api/jobs/job/run/1``."""

    needs = {"POST": ("run_job",)}

    def post(self, request: Request, number: str) -> Response:
        """Ask for a run at once. Under the job's overlap policy it may be recorded as skipped."""
        jobs.run_now(job_of(number), by=self.by)
        return errors.success()


class History(JobsView):
    """``/admin/api/jobs/history/1``."""

    needs = {"GET": ("view_execution",)}

    def get(self, request: Request, number: str) -> StreamingHttpResponse:
        """Return the ended runs that the history strategy shows, newest first."""
        return stream(listing.runs(job_of(number).pk))


class Run(JobsView):
    """``/admin/api/jobs/history/1/2``: one run with what was recorded of it."""

    needs = {"GET": ("view_execution",)}

    def get(self, request: Request, number: str, run: str) -> Response:
        """Return the run in full."""
        job = job_of(number)
        found = None
        if run.isascii() and run.isdigit() and len(run) <= _LONGEST_NUMBER and int(run) < 2**63:
            found = Execution.objects.of(job).history().select_related("payload").filter(number=int(run)).first()
        if found is None:
            return errors.fail(404, "The job has no such run in its history")
        return Response(serializers.shown_run_in_full(found, found.attempts.all()))


class Nothing(JobsView):
    """Every other address below ``/admin/api/jobs``."""

    permission_classes = []
    authentication_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer 404 to every method."""
        raise NotFound
