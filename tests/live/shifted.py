"""Runs Celery on a host whose clock is wrong: ``python -m tests.live.shifted <seconds> [--steps <fifo>] beat …``.

Whatever number of seconds is written to the FIFO, a line each, the clock is set forward by it (back, where it is
negative) at once, in the middle of whatever the process does. As on a real host, the monotonic clock goes on evenly.
"""

import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine


def follow(clock: time_machine.Traveller, steps: Path) -> None:
    """Make each step that the FIFO names, and say so."""
    with steps.open() as lines:
        for number, line in enumerate(lines, 1):
            clock.shift(float(line))
            print(f"clock step {number}: {line.strip()}", flush=True)


if __name__ == "__main__":
    seconds, *arguments = sys.argv[1:]
    clock = time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(seconds)), tick=True).start()
    if arguments[0] == "--steps":
        threading.Thread(target=follow, args=(clock, Path(arguments[1])), daemon=True).start()
        arguments = arguments[2:]
    from jobsite.celery import app

    app.start(arguments)
