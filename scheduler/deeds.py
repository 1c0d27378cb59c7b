"""What people do to runs, told to whoever records deeds: inside the transaction that does them."""

from __future__ import annotations

from django.dispatch import Signal

# job, execution, by: somebody asked for a run.
run_requested = Signal()
# execution, by: somebody cancelled a run, or had it told to stop.
run_cancelled = Signal()
