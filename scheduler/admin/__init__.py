"""The operators' console: Django's admin of the core. It calls use cases and writes no table of the core itself."""

from scheduler.admin import accounts, alert, calendar, change, channel, entry, execution, job, limit, process, site

__all__ = [
    "accounts",
    "alert",
    "calendar",
    "change",
    "channel",
    "entry",
    "execution",
    "job",
    "limit",
    "process",
    "site",
]
