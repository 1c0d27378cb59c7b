"""Good requests that change something, from which bad ones are made: a body, and what is needed to send it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.fuzz.people import PREFIX, Known

ROOT = Path(__file__).resolve().parents[2]
_MODELS = ROOT / "tests" / "data" / "models"
_DEMO_MODEL = "IsolationForest"
_MAPPINGS = {
    f"{short}{axis}": f"c8y_{fragment}.{short}{axis}.value"
    for fragment, short in (("Acceleration", "acceleration"), ("Gyroscope", "gyro"))
    for axis in "XYZ"
}

Body = Callable[[random.Random, Known], Any]


@dataclass(frozen=True)
class Sample:
    """A good request. ``path`` has its parameters in braces; a body that is no bytes is JSON."""

    surface: str
    operation: str
    method: str
    path: str
    body: Body
    kind: str = "application/json"
    weight: int = 10


def _job(chance: random.Random, known: Known) -> dict[str, Any]:
    return {
        # Few names, which are unique: jobs that fire every two minutes do not pile up.
        "jobName": f"fuzz {chance.randrange(60)}",
        "jobFrequency": chance.choice(("0 0/2 * * * ? *", "19 0 * * * ? *", "0 30 6 ? * MON-FRI *")),
        "description": "made by a fuzzer",
        "jobServiceInfo": {
            "version": "1.0",
            "serviceType": "intSer",
            "serviceName": chance.choice(("openweather", "nowhere")),
            "objectName": "",
            "operationName": "getWeather",
            "requestheaderMap": {"X-Header": "value"},
            "queryParams": {"a": "b"},
            "serviceExecutionType": "SERVER_URL",
            "postData": '{"cityName":"Hyderabad"}',
            "operationSecurityLevel": "public",
        },
        "jobStatus": chance.choice(("Active", "Active", "Inactive")),
        "historyStrategy": chance.choice(("OFF", "MINIMAL", "ERROR", "FULL")),
        "retentionPeriod": "30",
        "jobFrequencyInfo": {"frequencyType": 1, "minuteValues": [0], "hourValues": [1]},
        "emailNotifications": {"onFailure": ["ada@example.invalid"]},
    }


def _changed_job(chance: random.Random, known: Known) -> dict[str, Any]:
    job = _job(chance, known)
    kept = chance.sample(sorted(job), chance.randrange(1, len(job)))
    return {"jobId": known.any("voltmx", chance), **{name: job[name] for name in kept}}


def _switched_job(chance: random.Random, known: Known) -> dict[str, Any]:
    return {"jobId": known.any("voltmx", chance), "jobStatus": chance.choice(("Active", "Inactive"))}


def _login(chance: random.Random, known: Known) -> bytes:
    password = chance.choice(("correct horse battery", "wrong"))
    return urlencode({"userid": f"{PREFIX}viewer", "password": password}).encode()


def _login_json(chance: random.Random, known: Known) -> dict[str, Any]:
    return {"userid": f"{PREFIX}editor", "password": "correct horse battery"}


def _nothing(chance: random.Random, known: Known) -> bytes:
    return b""


def _score_job(chance: random.Random, known: Known) -> dict[str, Any]:
    now = datetime.now(UTC)
    if chance.random() < 0.5:
        schedule: dict[str, Any] = {
            "frequency": "periodic",
            "cronExpression": chance.choice(("10 0/3 * ? * *", "0 0 5 * * ?", "0 15 10 L * ?")),
            "dataFromPreviousNSeconds": chance.choice((60, 3600)),
            "timeZone": "Asia/Kolkata",
        }
    else:
        schedule = {
            "frequency": "once",
            "scheduleAt": (now + timedelta(seconds=chance.choice((20, 3600)))).isoformat(),
            "dataFrom": (now - timedelta(hours=1)).isoformat(),
            "dataTo": now.isoformat(),
        }
    return {
        "jobName": f"fuzz {chance.randrange(60)}",
        "jobDescription": "made by a fuzzer",
        "associatedGroupOrDeviceId": known.any("object", chance),
        "associatedModel": _DEMO_MODEL,
        "modelToDeviceMappings": dict(_MAPPINGS),
        "jobSchedule": schedule,
    }


def _object(chance: random.Random, known: Known) -> dict[str, Any]:
    return {
        "name": f"machine {chance.randrange(100)}",
        "type": "machine",
        chance.choice(("c8y_IsDevice", "c8y_IsDeviceGroup", "c8y_Any")): {},
        "c8y_Position": {"lat": 51.2, "lng": 6.8, "alt": None},
        "tags": ["a", "b"],
    }


def _measurement(chance: random.Random, known: Known) -> dict[str, Any]:
    return {
        "source": {"id": str(known.any("object", chance))},
        "type": "c8y_Motion",
        "time": (datetime.now(UTC) - timedelta(seconds=chance.randrange(7200))).isoformat(),
        "c8y_Acceleration": {f"acceleration{axis}": {"value": chance.random() * 10, "unit": "m/s2"} for axis in "XYZ"},
        "c8y_Gyroscope": {f"gyro{axis}": {"value": chance.random()} for axis in "XYZ"},
    }


def _measurements(chance: random.Random, known: Known) -> dict[str, Any]:
    return {"measurements": [_measurement(chance, known) for _ in range(chance.randrange(1, 6))]}


def _child(chance: random.Random, known: Known) -> dict[str, Any]:
    return {"managedObject": {"id": str(known.any("object", chance))}}


def _children(chance: random.Random, known: Known) -> dict[str, Any]:
    return {"references": [_child(chance, known) for _ in range(3)]}


def _records(chance: random.Random, known: Known) -> Any:
    record = {name: chance.random() for name in _MAPPINGS}
    return chance.choice((record, [record, record], {"records": [record] * 3}))


def _csv(chance: random.Random, known: Known) -> bytes:
    return (",".join(_MAPPINGS) + "\n" + ",".join("0.5" for _ in _MAPPINGS) + "\n").encode()


@cache
def _files(ending: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(_MODELS.glob(f"*.{ending}")) if path.stat().st_size < 30_000]


def _pmml(chance: random.Random, known: Known) -> bytes:
    return chance.choice(_files("pmml"))


def _onnx(chance: random.Random, known: Known) -> bytes:
    return chance.choice(_files("onnx"))


_JOBS, _LOGIN = "/admin/api/jobs/job", "/authService/accounts"
_ZEMENTIS, _OBJECTS, _MEASUREMENTS = "/service/zementis", "/inventory/managedObjects", "/measurement/measurements"
_FORM = "application/x-www-form-urlencoded"
# Parameters of a query that the platform's resources take; and some that it does not.
QUERY = (
    *("pageSize", "currentPage", "withTotalPages", "withTotalElements", "ids", "type", "owner", "name", "fragmentType"),
    *("text", "query", "q", "withChildren", "withParents", "skipChildrenNames", "source", "dateFrom", "dateTo"),
    *("valueFragmentType", "valueFragmentSeries", "series", "aggregationType", "revert", "cascade", "record", "file"),
    *("withTimestamps", "expression", "timeZone", "count", "from", "calendar", "format", "lang", "unknown"),
)
SAMPLES = (
    Sample("voltmx", "voltmx_create_job", "POST", _JOBS, _job, weight=30),
    Sample("voltmx", "voltmx_update_job", "PUT", _JOBS, _changed_job, weight=25),
    Sample("voltmx", "voltmx_update_job", "PUT", _JOBS, _switched_job, weight=8),
    Sample("voltmx", "voltmx_run_job", "POST", f"{_JOBS}/run/{{jobId}}", _nothing, weight=8),
    Sample("voltmx", "voltmx_jobs", "GET", _JOBS, _nothing, weight=2),
    Sample("voltmx", "voltmx_job", "GET", f"{_JOBS}{{jobId}}", _nothing, weight=4),
    Sample("voltmx", "voltmx_history", "GET", "/admin/api/jobs/history/{jobId}", _nothing, weight=4),
    Sample("voltmx", "voltmx_run", "GET", "/admin/api/jobs/history/{jobId}/{jobRunId}", _nothing, weight=4),
    Sample("voltmx", "voltmx_delete_job", "DELETE", f"{_JOBS}/{{jobId}}", _nothing, weight=5),
    Sample("voltmx", "voltmx_login", "POST", f"{_LOGIN}/login", _login, kind=_FORM, weight=5),
    Sample("voltmx", "voltmx_login", "POST", f"{_LOGIN}/login", _login_json, weight=5),
    Sample("voltmx", "voltmx_claims", "POST", f"{_LOGIN}/claims", _nothing, weight=3),
    Sample("voltmx", "voltmx_logout", "POST", f"{_LOGIN}/logout", _nothing, weight=2),
    Sample("zementis", "zementis_create_job", "POST", f"{_ZEMENTIS}/job", _score_job, weight=25),
    Sample("zementis", "zementis_jobs", "GET", f"{_ZEMENTIS}/jobs", _nothing, weight=2),
    Sample("zementis", "zementis_job", "GET", f"{_ZEMENTIS}/job/{{jobId}}", _nothing, weight=4),
    Sample("zementis", "zementis_job", "DELETE", f"{_ZEMENTIS}/job/{{jobId}}", _nothing, weight=6),
    Sample("zementis", "zementis_history", "GET", f"{_ZEMENTIS}/job/{{jobId}}/history", _nothing, weight=3),
    Sample(
        "zementis", "zementis_run", "GET", f"{_ZEMENTIS}/job/{{jobId}}/history/{{executionId}}/inferences", _nothing
    ),
    Sample("zementis", "zementis_apply", "POST", f"{_ZEMENTIS}/apply/{_DEMO_MODEL}", _records, weight=10),
    Sample("zementis", "zementis_apply", "POST", f"{_ZEMENTIS}/apply/{_DEMO_MODEL}", _csv, kind="text/csv", weight=6),
    Sample("zementis", "zementis_switch", "PUT", f"{_ZEMENTIS}/model/{{modelName}}/deactivate", _nothing, weight=1),
    Sample("zementis", "zementis_switch", "PUT", f"{_ZEMENTIS}/model/{{modelName}}/activate", _nothing, weight=4),
    Sample("zementis", "zementis_upload", "POST", f"{_ZEMENTIS}/model?file=a.pmml", _pmml, kind="text/xml", weight=1),
    Sample(
        *("zementis", "zementis_upload", "POST", f"{_ZEMENTIS}/onnx/model?file=a.onnx", _onnx),
        kind="application/octet-stream",
        weight=1,
    ),
    Sample("zementis", "platform_create", "POST", _OBJECTS, _object, weight=15),
    Sample("zementis", "platform_update", "PUT", f"{_OBJECTS}/{{id}}", _object, weight=10),
    Sample("zementis", "platform_child", "POST", f"{_OBJECTS}/{{id}}/childAssets", _child, weight=6),
    Sample("zementis", "platform_children", "POST", f"{_OBJECTS}/{{id}}/childDevices", _children, weight=6),
    Sample("zementis", "platform_list", "GET", _OBJECTS, _nothing, weight=15),
    Sample("zementis", "platform_measurement", "POST", _MEASUREMENTS, _measurement, weight=15),
    Sample("zementis", "platform_measurements", "POST", _MEASUREMENTS, _measurements, weight=10),
    Sample("zementis", "platform_measured", "GET", _MEASUREMENTS, _nothing, weight=12),
    Sample("zementis", "platform_series", "GET", f"{_MEASUREMENTS}/series", _nothing, weight=12),
    Sample("core", "schedule_preview", "GET", "/api/schedule/preview", _nothing, weight=30),
    Sample("core", "schema", "GET", "/api/schema", _nothing, weight=1),
    Sample("core", "metrics", "GET", "/metrics", _nothing, weight=3),
    Sample("core", "health", "GET", "/healthz", _nothing, weight=1),
    Sample("core", "ready", "GET", "/readyz", _nothing, weight=1),
)
