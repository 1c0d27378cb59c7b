"""Whether the process lives (`/healthz`) and whether the whole can work (`/readyz`).

Both are for machines that watch: no login, no host name to guess, answered before anything else of Django.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis import Redis
from redis.exceptions import RedisError

from scheduler.models import Process

# Every job type's queue must have somebody to take its runs.
QUEUES = ("services", "inference")


class HealthMiddleware:
    """Answers the two addresses. It stands first, because probes call by address and over plain HTTP, which the host
    check and the redirect to HTTPS behind it would refuse."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = {"/healthz": healthz, "/readyz": readyz}.get(request.path_info)
        if view is None or request.method not in {"GET", "HEAD"}:
            return self._get_response(request)
        response = view(request)
        response["Cache-Control"] = "no-store"
        return response


def healthz(request: HttpRequest) -> HttpResponse:
    """200 `ok` as long as the process answers; touches nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """200 where work can be done, else 503.

    `{"ready": bool, "database": bool, "broker": bool, "beats": 2, "workers": {"services": 1, "inference": 1},
    "missing": ["…"]}`: the numbers count processes that said within the last 15 seconds that they are alive, and
    `missing` says in words what keeps it from being ready. With `?since=` and an instant in Unix seconds only processes
    started since then count: who has just started some is not told of those before. 400 where that is no instant.
    """
    try:
        since = datetime.fromtimestamp(float(request.GET.get("since", 0)), UTC)
    except (ValueError, OverflowError, OSError):
        return JsonResponse({"error": "since: expected an instant in Unix seconds."}, status=400)
    broker = _broker_answers()
    beats, workers, database = 0, dict.fromkeys(QUEUES, 0), True
    try:
        for kind, queues in Process.objects.alive().filter(started_at__gte=since).values_list("kind", "queues"):
            if kind == Process.Kind.BEAT:
                beats += 1
            for queue in queues if kind == Process.Kind.WORKER else ():
                workers[queue] = workers.get(queue, 0) + 1
    except DatabaseError:
        # A connection that broke is of no use to the next request of this thread either.
        connection.close()
        database = False
    missing = [
        *([] if database else ["database: no answer"]),
        *([] if broker else ["broker: no answer"]),
        *([] if beats else ["beat: none alive"]),
        *(f"worker {queue}: none alive" for queue in QUEUES if not workers[queue]),
    ]
    state = {"database": database, "broker": broker, "beats": beats, "workers": workers, "missing": missing}
    return JsonResponse({"ready": not missing, **state}, status=503 if missing else 200)


def _broker_answers() -> bool:
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://")
    try:
        with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=None) as client:
            return bool(client.ping())
    except (RedisError, ValueError):
        return False
