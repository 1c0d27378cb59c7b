"""Copies jobs, and the models they name, from a running Zementis service, through that service's own API."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests
from django.db import transaction
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from scheduler import strict_json, transport
from scheduler.models import Job
from scheduler.schedule import Schedule
from zementis import instants, job_form, model_store
from zementis.arguments import Arguments
from zementis.devices import DataSourceError
from zementis.inference import InvalidModel, Limits
from zementis.inference.description import Format
from zementis.job_form import JobRefused, shown
from zementis.job_type import KIND
from zementis.model_store import ModelExists, ModelNotFound, StoreBusy, StoredModel

logger = logging.getLogger(__name__)

# For one answer as a whole, however it drips.
_LONGEST_SECONDS = 600.0
_LONGEST_LIST = 64 * 1024 * 1024
_ID = re.compile(r"[1-9][0-9]{0,17}")
COPIED, TO_COPY, PRESENT, REFUSED = "copied", "to copy", "present", "refused"
_PATHS: tuple[tuple[Format, str], ...] = (("PMML", "model"), ("ONNX", "onnx/model"))


class ServiceError(Exception):
    """The other service did not answer, or not as a Zementis service does. The message is a sentence."""


@dataclass(frozen=True)
class Step:
    """What became of one thing. ``outcome``: copied, present (nothing to do) or refused, with the reasons.

    Of a dry run, to copy instead of copied.
    """

    what: str
    name: str
    outcome: str
    reasons: tuple[str, ...] = ()


class Service:
    """The other service, asked with time-outs and asked again where that may help."""

    def __init__(self, url: str, *, user: str, password: str, seconds: float = 30.0, retries: int = 3) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = (user, password)
        self._seconds = seconds
        again = Retry(
            total=retries,
            backoff_factor=0.3,
            status_forcelist=(429, 502, 503, 504),
            allowed_methods=("GET",),
            raise_on_status=False,
            # A service that asks for a day is asked no later than one that keeps silent.
            retry_after_max=math.ceil(seconds),
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    def jobs(self) -> list[dict[str, Any]]:
        """Return all jobs, the oldest first. Raises ``ServiceError``."""
        content = self._get("jobs", limit=_LONGEST_LIST)
        if content is None:
            raise ServiceError("There is no Zementis service at that address.")
        try:
            found = strict_json.read(content, bounds=strict_json.ANSWERS)
        except strict_json.UnreadableJson as error:
            raise ServiceError("The service's list of jobs is not JSON.") from error
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise ServiceError("The service's list of jobs is not a list of jobs.")
        return found[::-1]

    def model_source(self, name: str) -> tuple[bytes, Format] | None:
        """Return a model's file and its format, None where the service does not give it. Raises ``ServiceError``."""
        for kind, path in _PATHS:
            content = self._get(f"{path}/{quote(name, safe='')}/source", limit=Limits().upload_bytes)
            if content:
                return content, kind
        return None

    def _get(self, path: str, *, limit: int) -> bytes | None:
        """Return a body, None where there is no such resource."""
        address = f"{self._url}/service/zementis/{path}"
        try:
            with self._session.get(address, timeout=self._seconds, stream=True, allow_redirects=False) as answer:
                if answer.status_code in (401, 403):
                    raise ServiceError(f"The service refuses the login for {path}.")
                if answer.status_code in (404, 405):
                    return None
                if answer.status_code != 200:
                    raise ServiceError(f"The service answers {path} with status {answer.status_code}.")
                return transport.content_of(answer, limit=limit, seconds=_LONGEST_SECONDS)
        except transport.AnswerTooLarge as error:
            raise ServiceError(f"The service's answer to {path} is larger than {limit} bytes.") from error
        except transport.AnswerTooSlow as error:
            raise ServiceError(f"The service takes longer than {_LONGEST_SECONDS:.0f} s to answer {path}.") from error
        except requests.RequestException as error:
            raise ServiceError(f"The service could not be asked for {path}: {type(error).__name__}.") from error


def copy(
    service: Service, *, by: str, dry_run: bool, devices: Mapping[int, int] | None = None, active: bool = True
) -> Iterator[Step]:
    """Copy every job and the models they name; give a step for each. Raises ``ServiceError``.

    ``devices`` maps ids there to ids here, where they differ. Not ``active``: the jobs come paused. A dry run does all
    of it and takes it back at the end, so that what it says is what a real run would do.
    """
    for step in _steps(service, by=by, dry_run=dry_run, devices=devices or {}, active=active):
        yield replace(step, outcome=TO_COPY) if dry_run and step.outcome == COPIED else step


def _steps(service: Service, *, by: str, dry_run: bool, devices: Mapping[int, int], active: bool) -> Iterator[Step]:
    wanted = service.jobs()
    names = dict.fromkeys(str(item.get("associatedModel")) for item in wanted)
    # Asked for before anything is written: no transaction waits for another server.
    files = {name: service.model_source(name) for name in names if not _has_model(name)}
    with transaction.atomic() if dry_run else nullcontext():
        for name in names:
            yield _copy_model(name, files.get(name), by=by) if name in files else Step("model", shown(name), PRESENT)
        for item in wanted:
            yield _copy_job(item, devices, by=by, active=active)
        if dry_run:
            transaction.set_rollback(True)


def _has_model(name: str) -> bool:
    try:
        model_store.get(name)
    except ModelNotFound:
        return False
    return True


def _copy_model(name: str, found: tuple[bytes, Format] | None, *, by: str) -> Step:
    if found is None:
        return Step("model", shown(name), REFUSED, ("The service does not give its file: upload it by hand.",))
    content, kind = found
    try:
        stored = _uploaded(content, kind, name=name, by=by)
    except InvalidModel as error:
        return Step("model", shown(name), REFUSED, error.errors)
    except (ModelExists, StoreBusy) as error:
        return Step("model", shown(name), REFUSED, (str(error),))
    if stored.name != name:
        return Step("model", shown(name), COPIED, (f"Its file calls it '{stored.name}'; jobs look for '{name}'.",))
    return Step("model", shown(name), COPIED)


def _uploaded(content: bytes, kind: Format, *, name: str, by: str) -> StoredModel:
    """Upload a file as what it was given for; as the other format where a service has one address for both."""
    try:
        return model_store.upload(content, file_name=name, format=kind, by=by)
    except InvalidModel as refused:
        if kind == "ONNX":
            raise
        try:
            return model_store.upload(content, file_name=name, format="ONNX", by=by)
        except InvalidModel:
            raise refused from None


def _copy_job(item: Mapping[str, Any], devices: Mapping[int, int], *, by: str, active: bool) -> Step:
    name = shown(item.get("jobName"))
    keys = ("jobName", "jobDescription", "associatedModel", "modelToDeviceMappings", "jobSchedule")
    target = item.get("associatedGroupOrDeviceId")
    body = {key: item.get(key) for key in keys}
    if isinstance(target, str) and _ID.fullmatch(target):
        target = int(target)
    body["associatedGroupOrDeviceId"] = devices.get(target, target) if isinstance(target, int) else target
    try:
        if _is_here(body):
            return Step("job", name, PRESENT)
        with transaction.atomic():
            job_form.create(body, by=by, active=active)
    except JobRefused as refused:
        return Step("job", name, REFUSED, tuple(refused.errors))
    except DataSourceError as error:
        return Step("job", name, REFUSED, (str(error),))
    return Step("job", name, COPIED)


def _is_here(body: Mapping[str, Any]) -> bool:
    """Whether a job of this name, model, target, mapping and schedule exists."""
    if not isinstance(body["jobSchedule"], dict) or not isinstance(body["jobName"], str) or "\x00" in body["jobName"]:
        return False
    candidates = Job.objects.of_kind(KIND).filter(name=job_form.safe(body["jobName"]))
    return any(_same(job, body) for job in candidates[:1_000])


def _same(job: Job, body: Mapping[str, Any]) -> bool:
    arguments, when, schedule = Arguments.from_json(job.arguments), Schedule.of(job), body["jobSchedule"]
    if (arguments.model, arguments.target) != (body["associatedModel"], body["associatedGroupOrDeviceId"]):
        return False
    if not _same_mapping(arguments.mappings, body["modelToDeviceMappings"]):
        return False
    if arguments.periodic:
        mine = (when.text or when.expression, when.zone, arguments.data_from_previous_seconds)
        return mine == tuple(schedule.get(key) for key in ("cronExpression", "timeZone", "dataFromPreviousNSeconds"))
    instants_here = (when.run_at, arguments.data_from, arguments.data_to)
    return instants_here == tuple(_instant(schedule.get(key)) for key in ("scheduleAt", "dataFrom", "dataTo"))


def _same_mapping(mine: Mapping[str, str], theirs: Any) -> bool:
    """Whether a mapping is ours, in either direction."""
    if not isinstance(theirs, dict):
        return False
    turned = len(theirs) == len(mine) and all(theirs.get(path) == name for name, path in mine.items())
    return turned or theirs == dict(mine)


def _instant(text: Any) -> datetime | None:
    try:
        return instants.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None
