"""Get All Jobs with 10,000 jobs and a history behind them: how long a client waits for the whole list, at what cost.

    python -m benchmarks.voltmx_list [--jobs 10000] [--runs 20] [--requests 100]

Beside it Get Job History of a job with as many runs as there are jobs. Processor time is that of all of PostgreSQL
and of the web process: on a busy machine it says more than the clock does. One web process as the local stack starts
it, asked over HTTP by one client after another.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlencode

from benchmarks import report
from benchmarks.rig import Rig

_PASSWORD = "benchmark only"
_HISTORY = """
INSERT INTO scheduler_execution
       (job_id, number, trigger, scheduled_for, status, queue, priority, concurrency_key, created_at, started_at,
        ended_at, attempt, rescues, cancel_requested, messages, visible, complete)
SELECT j.id, n, 1, now() - make_interval(mins => n), 2, 'services', 5, '', now(), now(), now(), 1, 0, false, '[]', true,
       false
  FROM scheduler_job j CROSS JOIN generate_series(%s, %s) n
 WHERE j.number <= %s
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20, help="ended runs of each job")
    parser.add_argument("--requests", type=int, default=100)
    options = parser.parse_args()
    with Rig() as rig:
        rig.set_up()
        _fill(options.jobs, options.runs)
        port = _free_port()
        web = rig.start(
            "web",
            *("-m", "gunicorn", "--config", "python:jobsite.web.config", "jobsite.wsgi"),
            *("--bind", f"127.0.0.1:{port}", "--threads", "16"),
        )
        token = _log_in(port)
        rows = []
        for path, name in (("/admin/api/jobs/job", "Get All Jobs"), ("/admin/api/jobs/history/1", "Get Job History")):
            for _ in range(5):
                _ask(port, path, token)
            cost = rig.server_cpu_seconds[0], web.cpu_seconds
            asked = [_ask(port, path, token) for _ in range(options.requests)]
            spent = rig.server_cpu_seconds[0] - cost[0], web.cpu_seconds - cost[1]
            row = {"call": name, "megabytes": round(asked[0][2] / 1e6, 2)}
            rows += [
                {**row, "until": "first byte", **report.spread([first for first, _last, _size in asked])},
                {**row, "until": "last byte", **report.spread([last for _first, last, _size in asked])},
            ]
            print(f"{name}: processor milliseconds a call: PostgreSQL {spent[0] / options.requests * 1e3:.1f}, "
                  f"web {spent[1] / options.requests * 1e3:.1f}")  # fmt: skip
        report.table(f"{options.jobs:,} jobs, {options.jobs * options.runs:,} runs of them; milliseconds", rows)
        print(f"\nweb process: {web.megabytes:.0f} MB; machine: {report.machine()}")


def _fill(jobs: int, runs: int) -> None:
    from django.contrib.auth.models import User
    from django.db import connection

    from benchmarks.fill import fill

    User.objects.create_superuser("admin", "admin@example.com", _PASSWORD)
    fill(jobs)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_job SET kind = 'voltmx', name_key = name, description = 'a job of many'")
        cursor.execute(_HISTORY, [1, runs, jobs])
        cursor.execute(_HISTORY, [runs + 1, jobs, 1])
        cursor.execute(
            "UPDATE scheduler_jobstate SET total_count = %s, success_count = %s, last_status = 2", [runs, runs]
        )
        cursor.execute("VACUUM ANALYZE")


def _free_port() -> int:
    import socket

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log_in(port: int) -> str:
    import json

    form = urlencode({"userid": "admin", "password": _PASSWORD})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    deadline = time.monotonic() + 30
    while True:
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("POST", "/authService/accounts/login", form, headers)
                return str(json.loads(connection.getresponse().read())["claims_token"]["value"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _ask(port: int, path: str, token: str) -> tuple[float, float, int]:
    """Return seconds until the first and the last byte of an answer, and its size."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        started = time.perf_counter()
        connection.request("GET", path, headers={"X-VoltMX-Authorization": token})
        answer = connection.getresponse()
        read = answer.read(1)
        begun = time.perf_counter() - started
        read += answer.read()
        return begun, time.perf_counter() - started, len(read)


if __name__ == "__main__":
    main()
