"""The operators' console: Django's admin of the core. It calls use cases and writes no table of the core itself."""

from scheduler.admin import accounts, calendar, change, entry, execution, job, limit, process, site

__all__ = ["accounts", "calendar", "change", "entry", "execution", "job", "limit", "process", "site"]
