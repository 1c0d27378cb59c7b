"""What people do, told to whoever records deeds: inside the transaction that does them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.dispatch import Signal

# job, execution, by: somebody asked for a run.
run_requested = Signal()
# execution, by: somebody cancelled a run, or had it told to stop.
run_cancelled = Signal()
# action, target, changes, by: anything else that is done past a model's own ``save`` and ``delete``.
done = Signal()


def tell(action: str, *, target: str, changes: Mapping[str, Any] | None = None, by: str | None = None) -> None:
    """Tell of a deed: a noun, a dot and a past participle; what it was done to; field -> [before, after].

    ``changes`` is ready for JSON and holds no secret. ``by``: None where the request or the command tells.
    """
    done.send(sender=None, action=action, target=target, changes=dict(changes or {}), by=by)
