"""Values per second from HTTP into PostgreSQL: bulk posts of measurements to one web process, as agents send them.

    python -m benchmarks.ingest [--measurements 100000] [--bulk 1 100 1000] [--clients 1 4]

A measurement holds six values in two fragments with units. Clients and server share the machine.
"""

from __future__ import annotations

import argparse
import base64
import json
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from socket import create_connection, socket

from benchmarks import report
from benchmarks.rig import Process, Rig

_PASSWORD = "benchmark only"
_SERIES = 6
_FIRST = datetime(2026, 5, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--bulk", type=int, nargs="+", default=[1, 100, 1_000])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4])
    options = parser.parse_args()
    with Rig(extra_apps="") as rig:
        rig.set_up()
        devices = _devices(count=max(options.clients))
        port = free_port()
        web = serve(rig, port)
        _log_in(port)
        rows = []
        for bulk in options.bulk:
            for clients in options.clients:
                # One at a time is a hundred times slower, and no wiser for lasting a hundred times longer.
                count = options.measurements if bulk > 1 else max(options.measurements // 50, clients)
                seconds = _post(port, devices[:clients], count // clients, bulk)
                total = count // clients * clients
                rows.append(
                    {
                        "measurements per post": bulk,
                        "clients": clients,
                        "measurements": total,
                        "measurements/s": round(total / seconds),
                        "values/s": round(total * _SERIES / seconds),
                    }
                )
                print(rows[-1], flush=True)
        report.table("Ingest over HTTP, one web process", rows)
        print(f"\nweb process: {web.megabytes:.0f} MB; bytes a stored measurement: {_bytes_per_row():.0f}")
        print(f"machine: {report.machine()}")


def _devices(*, count: int) -> list[int]:
    from django.contrib.auth.models import User

    from zementis.devices import managed_objects

    User.objects.create_superuser("admin", "admin@example.com", _PASSWORD)
    return [managed_objects.create({"c8y_IsDevice": {}}, by="admin").pk for _ in range(count)]


def _post(port: int, devices: list[int], count: int, bulk: int) -> float:
    """Post ``count`` measurements of each device, a thread each; return the seconds it took."""
    bodies = {device: _bodies(device, count, bulk) for device in devices}
    failures: list[str] = []
    threads = [threading.Thread(target=_client, args=(port, bodies[device], failures)) for device in devices]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if failures:
        raise RuntimeError(failures[0])
    return seconds


def _client(port: int, bodies: list[bytes], failures: list[str]) -> None:
    login = base64.b64encode(f"admin:{_PASSWORD}".encode()).decode()
    headers = {
        "Authorization": f"Basic {login}",
        "Content-Type": "application/vnd.com.nsn.cumulocity.measurementcollection+json",
    }
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for body in bodies:
            connection.request("POST", "/measurement/measurements", body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 201:
                failures.append(f"{answer.status}: {said[:200]!r}")
                return


def _bodies(device: int, count: int, bulk: int) -> list[bytes]:
    bodies = []
    for start in range(0, count, bulk):
        measurements = [_measurement(device, place) for place in range(start, min(start + bulk, count))]
        bodies.append(json.dumps({"measurements": measurements} if bulk > 1 else measurements[0]).encode())
    return bodies


def _measurement(device: int, place: int) -> dict[str, object]:
    time_ = (_FIRST + timedelta(seconds=place)).isoformat(timespec="milliseconds")
    return {
        "source": {"id": str(device)},
        "type": "motion",
        "time": time_,
        "c8y_Acceleration": {f"acceleration{axis}": {"value": place * 0.001, "unit": "m/s2"} for axis in "XYZ"},
        "c8y_Gyroscope": {f"gyro{axis}": {"value": place * -0.0001, "unit": "rad/s"} for axis in "XYZ"},
    }


def _bytes_per_row() -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size('zementis_measurement')::float8 / count(*) FROM zementis_measurement"
        )
        size: float = cursor.fetchone()[0]
    return size


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(rig: Rig, port: int) -> Process:
    """Start a web process as the stack does; return once it listens."""
    web = rig.start(
        "web",
        *("-m", "gunicorn", "--config", "python:jobsite.web.config", "jobsite.wsgi"),
        *("--bind", f"127.0.0.1:{port}", "--threads", "16"),
    )
    end = time.monotonic() + 30
    while time.monotonic() < end:
        web.check()
        with suppress(ConnectionError), closing(create_connection(("127.0.0.1", port), timeout=1)):
            return web
        time.sleep(0.05)
    raise RuntimeError("the web server does not listen")


def _log_in(port: int) -> None:
    """Pay for the password's hash once."""
    failures: list[str] = []
    _client(port, [json.dumps({"measurements": []}).encode()], failures)
    if failures:
        raise RuntimeError(failures[0])


if __name__ == "__main__":
    main()
