"""Whether it lives and whether it can work."""

from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """200 `ok` as long as the process answers; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


readyz = healthz
