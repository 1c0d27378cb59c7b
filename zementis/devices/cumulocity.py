"""The data source that is a Cumulocity tenant: asked over HTTP through the vendor's Python client.

Everything is read page by page; each request has a time-out and is tried again where trying again may help.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import requests
from c8y_api import CumulocityApi
from c8y_api._base_api import HttpError
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from scheduler import transport
from zementis import instants
from zementis.arguments import SeriesName, Window
from zementis.devices.source import CUMULOCITY, Chunk, DataSourceError, Target
from zementis.models.managed_object import DEVICE, GROUP

T = TypeVar("T")

PAGE_SIZE = 2_000
_PASSING = (429, 500, 502, 503, 504)
_EPOCH_SECONDS = 1_000_000
_PAUSE_SECONDS = 0.3
_BROKEN_OFF = (requests.exceptions.ChunkedEncodingError, requests.ConnectionError)


class _Patient(HTTPAdapter):
    """Gives every request a time-out and every answer an end, which the client itself does not."""

    def __init__(self, *, seconds: float, retries: int) -> None:
        self._seconds = seconds
        again = Retry(
            total=retries,
            backoff_factor=0.3,
            backoff_jitter=0.3,
            status_forcelist=_PASSING,
            allowed_methods=("GET",),
            raise_on_status=False,
            # A tenant that asks for a day is asked no later than one that keeps silent.
            retry_after_max=math.ceil(seconds),
        )
        self._retries = retries
        super().__init__(max_retries=again)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        if options.get("timeout") is None:
            options["timeout"] = self._seconds
        for pause in [_PAUSE_SECONDS * 2**turn for turn in range(self._retries)]:
            answer = super().send(request, **options)
            try:
                # Read it here: an answer that breaks off in its middle is asked for again too, which the adapter's own
                # retries, done with its head, leave to others.
                return _read(answer)
            except _BROKEN_OFF:
                answer.close()
                time.sleep(pause)
        return _read(super().send(request, **options))


def _read(answer: requests.Response) -> requests.Response:
    """Return an answer whose body has been read, within the settings' bounds, where ``requests`` looks for it."""
    try:
        answer._content = transport.content_of(
            answer, limit=settings.C8Y_RESPONSE_LIMIT_BYTES, seconds=settings.C8Y_RESPONSE_SECONDS
        )
    except BaseException:
        answer.close()
        raise
    answer._content_consumed = True  # type: ignore[attr-defined]
    return answer


class CumulocitySource:
    """Implements ``DataSource`` on a tenant."""

    name = CUMULOCITY

    def __init__(
        self, url: str, *, tenant: str, user: str, password: str, seconds: float = 30.0, retries: int = 4
    ) -> None:
        self._api = CumulocityApi(url, tenant, user, password)
        adapter = _Patient(seconds=seconds, retries=retries)
        for scheme in ("http://", "https://"):
            self._api.session.mount(scheme, adapter)

    @classmethod
    def from_settings(cls) -> CumulocitySource:
        """Return the source that the ``C8Y_`` settings name."""
        return cls(
            settings.C8Y_BASEURL,
            tenant=settings.C8Y_TENANT,
            user=settings.C8Y_USER,
            password=settings.C8Y_PASSWORD,
            seconds=settings.C8Y_TIMEOUT_SECONDS,
            retries=settings.C8Y_RETRIES,
        )

    def target(self, identifier: int) -> Target | None:
        """Return what ``identifier`` stands for, None where it is neither a device nor a group."""
        try:
            found = _asked(lambda: self._api.get(f"/inventory/managedObjects/{identifier}?withChildren=false"))
        except KeyError:
            return None
        if GROUP in found:
            return Target(identifier, True, self._members(identifier))
        return Target(identifier, False, (identifier,)) if DEVICE in found else None

    def measurements(
        self, devices: Sequence[int], *, series: Sequence[SeriesName], window: Window, limit: int
    ) -> Iterator[tuple[int, Chunk | None]]:
        """Give the devices' measurements; see ``DataSource``."""
        for device in devices:
            for chunk in self._of_device(device, series=series, window=window, limit=limit):
                yield device, chunk
            yield device, None

    def _of_device(self, device: int, *, series: Sequence[SeriesName], window: Window, limit: int) -> Iterator[Chunk]:
        query = {
            "source": str(device),
            "dateFrom": instants.with_milliseconds(window.start),
            # Tenants know milliseconds: round up, and leave out below what that let in.
            "dateTo": instants.with_milliseconds(window.end + timedelta(microseconds=999)),
        }
        fragments = {name.fragment for name in series}
        if len(fragments) == 1:
            query["valueFragmentType"] = fragments.pop()
        latest = 0
        for page in self._pages("/measurement/measurements", "measurements", query, size=min(limit, PAGE_SIZE)):
            try:
                chunk = _chunk(page, series, window)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise _useless(error) from error
            if chunk is None:
                continue
            if int(chunk.times[0]) < latest:
                raise DataSourceError("The tenant's measurements did not come in the order of time.", retryable=False)
            latest = int(chunk.times[-1])
            yield chunk

    def _members(self, group: int) -> tuple[int, ...]:
        """Return the devices below a group; each group is asked once, whatever they hold of each other."""
        devices: set[int] = set()
        seen, waiting = {group}, [group]
        while waiting:
            query = {"query": f"$filter=(bygroupid({waiting.pop()}))", "withChildren": "false"}
            for page in self._pages("/inventory/managedObjects", "managedObjects", query, size=PAGE_SIZE):
                for item in page:
                    if not str(item.get("id", "")).isdecimal():
                        raise _useless("an object without an id")
                    identifier = int(item["id"])
                    if DEVICE in item:
                        devices.add(identifier)
                    if GROUP in item and identifier not in seen:
                        seen.add(identifier)
                        waiting.append(identifier)
        return tuple(sorted(devices))

    def _page(self, path: str, name: str, query: dict[str, str]) -> list[dict[str, Any]]:
        try:
            answer = _asked(lambda: self._api.get(path, params=query))
        except KeyError as error:
            raise DataSourceError(f"The tenant has no {path}.", retryable=False) from error
        page = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(page, list) or not all(isinstance(item, dict) for item in page):
            raise _useless(f"no list of {name}")
        return page

    def _pages(self, path: str, name: str, query: dict[str, str], *, size: int) -> Iterator[list[dict[str, Any]]]:
        """Give the pages of a collection until one is not full."""
        number = 0
        while True:
            number += 1
            asked = {**query, "pageSize": str(size), "currentPage": str(number)}
            page = self._page(path, name, asked)
            yield page
            if len(page) < size:
                return


def _useless(what: object) -> DataSourceError:
    return DataSourceError(f"The tenant's answer was of no use: {str(what)[:200]}", retryable=False)


def _asked(question: Callable[[], T]) -> T:
    """Return the answer. Raises ``KeyError`` where there is no such object, ``DataSourceError`` for all else."""
    try:
        return question()
    except KeyError:
        raise
    except HttpError as error:
        raise DataSourceError(f"The tenant refused the request: {error.message}", retryable=False) from error
    except transport.AnswerTooLarge as error:
        raise DataSourceError(f"The tenant gave {error}.", retryable=False) from error
    except transport.AnswerTooSlow as error:
        raise DataSourceError(f"The tenant gave {error}.", retryable=True) from error
    except (*_BROKEN_OFF, requests.Timeout) as error:
        raise DataSourceError("The tenant could not be reached.", retryable=True) from error
    except SyntaxError as error:
        # The client's name for an answer from 500 on.
        raise DataSourceError("The tenant failed to answer.", retryable=True) from error
    except (ValueError, requests.RequestException) as error:
        raise _useless(error) from error


def _chunk(page: list[dict[str, Any]], series: Sequence[SeriesName], window: Window) -> Chunk | None:
    """Return the measurements of a page that have a value of ``series``, None where none has."""
    import numpy as np

    rows: list[tuple[int, list[float]]] = []
    for measurement in page:
        values = [_value(measurement, name) for name in series]
        instant = instants.parse(measurement["time"])
        # A tenant may take the end of a range as belonging to it.
        if window.start <= instant < window.end and any(value == value for value in values):
            rows.append((_microseconds(instant), values))
    if not rows:
        return None
    times = np.array([row[0] for row in rows], dtype=np.int64)
    table = np.array([row[1] for row in rows], dtype=np.float64)
    order = np.argsort(times, kind="stable")
    return Chunk(times[order], tuple(np.ascontiguousarray(column) for column in table[order].T))


def _value(measurement: dict[str, Any], name: SeriesName) -> float:
    fragment = measurement.get(name.fragment)
    entry = fragment.get(name.series) if isinstance(fragment, dict) else None
    value = entry.get("value") if isinstance(entry, dict) else None
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if usable and value is not None else float("nan")


def _microseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * _EPOCH_SECONDS + instant.microsecond
