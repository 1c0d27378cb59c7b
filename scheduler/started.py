"""A run that a worker has started: what it needs to know to do the work and to write the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Started:
    """A run that this process has started and now holds the lease of. Instants are UTC."""

    execution_id: int
    job_pk: int
    job_kind: str
    job_number: int
    job_name: str
    number: int
    attempt: int
    token: int
    scheduled_for: datetime
    created_at: datetime
    started_at: datetime
    arguments: dict[str, Any]
    timeout_seconds: int
    history_strategy: str
    max_retries: int
    retry_delay_seconds: int
    retry_max_delay_seconds: int
    concurrency_key: str
    request_id: str | None = None
    rescues: int = 0

    def may_be_rescued(self, most: int) -> bool:
        """Whether a worker may begin it again where this one is lost; ``most``: the setting SCHEDULER_MAX_RESCUES."""
        return self.max_retries > 0 and self.rescues < most

    @property
    def own_attempt(self) -> int:
        """Which attempt it is of those that the job's own retries count: a lost or stopped worker is no fault of it."""
        return self.attempt - self.rescues
