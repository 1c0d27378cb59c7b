"""GET /metrics: what Prometheus scrapes. The same whichever process answers, kept in PostgreSQL between starts."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from accounts import lockout
from accounts.origin import address_of
from scheduler import metrics
from scheduler.gauges import Gauges, gauges

PERMISSION = "scheduler.view_metric"

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class JobsiteCollector(Collector):
    """The counters and histograms of all processes, and how things stand."""

    def collect(self) -> Iterator[Family]:
        """Yield each metric with its help, also where nothing was counted yet."""
        series = metrics.read()
        for counter in metrics.COUNTERS:
            labels = [*(["kind"] if counter.kinds else []), *([counter.label] if counter.label else [])]
            family = CounterMetricFamily(counter.name, counter.help, labels=labels)
            for (name, kind, label), found in sorted(series.items()):
                if name == counter.name:
                    values = [*([kind] if counter.kinds else []), *([label] if counter.label else [])]
                    family.add_metric(values, found.value)
            if not labels and not family.samples:
                family.add_metric([], 0)
            yield family
        for histogram in metrics.HISTOGRAMS:
            shaped = HistogramMetricFamily(histogram.name, histogram.help, labels=["kind"] if histogram.kinds else [])
            for (name, kind, _), found in sorted(series.items()):
                if name == histogram.name and found.buckets is not None:
                    shaped.add_metric([kind] if histogram.kinds else [], _cumulative(found.buckets), found.value)
            yield shaped
        yield from _standing(gauges())


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip([*map(str, map(float, metrics.BOUNDS)), "+Inf"], buckets, strict=True):
        total += count
        found.append((bound, float(total)))
    return found


def _standing(now: Gauges) -> Iterator[GaugeMetricFamily]:
    by_queue = (
        ("jobsite_queue_waiting_runs", "Runs that are ready and not started.", now.waiting),
        ("jobsite_queue_oldest_seconds", "How long the oldest of them has been ready.", now.oldest_waiting_seconds),
        ("jobsite_queue_messages", "Messages in Redis; one may name several runs.", now.messages),
        ("jobsite_queue_running_runs", "Runs under way.", now.running),
        ("jobsite_queue_slots", "How many runs alive workers can hold at once.", now.slots),
    )
    for name, told, numbers in by_queue:
        family = GaugeMetricFamily(name, told, labels=["queue"])
        for queue, number in numbers.items():
            family.add_metric([queue], number)
        yield family
    processes = GaugeMetricFamily("jobsite_processes", "Processes alive.", labels=["kind"])
    for kind, number in now.processes.items():
        processes.add_metric([kind], number)
    yield processes
    yield GaugeMetricFamily("jobsite_jobs_due", "Jobs that are due and no beat has claimed yet.", value=now.jobs_due)
    oldest = "How long the first of them has been due."
    yield GaugeMetricFamily("jobsite_oldest_due_seconds", oldest, value=max(now.oldest_due_seconds, 0.0))
    yield GaugeMetricFamily("jobsite_broker_up", "Whether Redis answers.", value=int(now.broker))


REGISTRY = CollectorRegistry(auto_describe=False)
REGISTRY.register(JobsiteCollector())


@require_safe
def metrics_view(request: HttpRequest) -> HttpResponse:
    """200 in the format that the scraper accepts; 401 without one of the ways in, 429 after too many wrong tokens; 503
    while the database is away."""
    if not _is_allowed(request):
        wait = _count_guess(request)
        if wait:
            response = HttpResponse("429 Too Many Requests\n", content_type="text/plain", status=429)
            response["Retry-After"] = str(wait)
            return response
        response = HttpResponse("401 Unauthorized\n", content_type="text/plain", status=401)
        response["WWW-Authenticate"] = 'Bearer realm="metrics", Basic realm="metrics"'
        return response
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        response = HttpResponse(encode(REGISTRY), content_type=content_type)
    except DatabaseError:
        connection.close()
        return HttpResponse("503 no database\n", content_type="text/plain", status=503)
    response["Cache-Control"] = "no-store"
    return response


def _is_allowed(request: HttpRequest) -> bool:
    return _has_token(request) or _comes_from_inside(request) or request.user.has_perm(PERMISSION)


def _count_guess(request: HttpRequest) -> int:
    """Count a token that is not the right one; return the seconds to wait where an address has sent too many."""
    if not request.headers.get("Authorization"):
        return 0
    try:
        lockout.bad_token(address_of(request))
    except lockout.LockedOut as refusal:
        return refusal.seconds
    except DatabaseError:
        # A right token would still open it; that a wrong one is counted can wait for the database.
        connection.close()
    return 0


def _has_token(request: HttpRequest) -> bool:
    """Whether METRICS_TOKEN is there, as a bearer token or as the password of any user."""
    expected: str = settings.METRICS_TOKEN
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not expected or not value:
        return False
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(value.strip().encode(errors="replace"), expected.encode())


def _comes_from_inside(request: HttpRequest) -> bool:
    """Whether the client, as far as proxies may be believed, is in METRICS_ALLOW_ADDRESSES."""
    try:
        address = ip_address(address_of(request))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    for allowed in settings.METRICS_ALLOW_ADDRESSES:
        if allowed == "loopback":
            if address.is_loopback:
                return True
        elif address in ip_network(allowed):
            return True
    return False
