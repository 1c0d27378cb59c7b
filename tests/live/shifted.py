"""Runs Celery with a host's clock that is wrong: ``python -m tests.live.shifted <seconds> beat …``."""

import sys
from datetime import UTC, datetime, timedelta

import time_machine

if __name__ == "__main__":
    seconds, *arguments = sys.argv[1:]
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(seconds)), tick=True).start()
    from jobsite.celery import app

    app.start(arguments)
