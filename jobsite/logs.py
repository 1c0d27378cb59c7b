"""How log lines look: JSON for machines in production, short text for people in development.

A line is a verb and its context: `logger.info("run.finished", extra={"job": 7, "ms": 120})` reads
`run.finished job=7 ms=120` as text, and has `event`, `job` and `ms` as members of its JSON.
"""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "data"}


# `run.started kind=%s job=%s`, the verb maybe a parameter too: the names of the parameters are in the text.
_TOLD = re.compile(r"(?:%s|[a-z_]+(?:\.[a-z_]+)+)(?: [a-z_]+=%[a-z])+")
_NAME = re.compile(r" ([a-z_]+)=%")


def configuration(*, level: str, form: str) -> dict[str, Any]:
    """Return what `logging.config` takes: all lines to the standard error, in the ``form`` json or text."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "jobsite.logs.JsonFormatter"}, "text": {"()": "jobsite.logs.TextFormatter"}},
        "filters": {
            "probes": {"()": "jobsite.logs.WithoutProbes"},
            "request_id": {"()": "scheduler.request_id.RequestIdFilter"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": form, "filters": ["request_id"]},
            "nowhere": {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Celery's line per task and Django's per request repeat what our own lines say.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "django.request": {"level": "ERROR", "filters": ["probes"]},
            "django.server": {"level": "WARNING"},
            # urllib3 logs whole addresses, credentials in their queries too, at its lowest level.
            "urllib3": {"level": "WARNING"},
            # Apprise logs what servers answered, who may say anything; what went wrong is told by the delivery.
            "apprise": {"level": "WARNING", "handlers": ["nowhere"], "propagate": False},
            # py4j logs whole payloads at its lower levels.
            "py4j": {"level": "WARNING"},
        },
    }


def context(record: logging.LogRecord) -> dict[str, object]:
    """What the caller passed as `extra`, without the members every record has."""
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def parted(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """The verb of a line and the parameters that its text names; where it is of no such form, the whole and none."""
    args = record.args if isinstance(record.args, tuple) else ()
    text = str(record.msg)
    if not args or not _TOLD.fullmatch(text):
        return record.getMessage(), {}
    verb = text.split(" ", 1)[0]
    if verb == "%s":
        verb, args = str(args[0]), args[1:]
    names = _NAME.findall(text)
    return (verb, dict(zip(names, args, strict=True))) if len(names) == len(args) else (record.getMessage(), {})


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `at` (UTC), `level`, `logger`, `event`, the context, and `error` for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        event, told = parted(record)
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event,
            "process": record.process,
        }
        line |= {name: value for name, value in {**told, **context(record)}.items() if name not in line}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`12:34:56 info run.finished job=7 ms=120`, a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        pairs = "".join(f" {name}={_plain(value)}" for name, value in context(record).items())
        line = f"{clock} {record.levelname.lower()} {record.getMessage()}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class WithoutProbes(logging.Filter):
    """Leaves out Django's line about each `/readyz` that says no: whoever asked has been told."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(getattr(record, "request", None), "path_info", None) != "/readyz"


def _plain(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c.isspace() or c == '"' for c in text) else text
