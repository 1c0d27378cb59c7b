"""Every sample of the vendor's reference, over real HTTP, with a real worker for its runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.contract.voltmx import DATA, Broken, Contract
from tests.processes import Processes
from tests.voltmx.wire import PASSWORD


@pytest.fixture
def contract(live_server: Any) -> Contract:
    User.objects.create_superuser("admin", "user.id@example.com", PASSWORD, first_name="Ada", last_name="King")
    account = {"userid": "admin", "email": "user.id@example.com", "firstname": "Ada", "lastname": "King"}
    known = {"user": "admin", "password": PASSWORD, "updatedUser": "user.id@example.com", **account}
    return Contract(
        live_server.url, {**known, "jobId": 2, "jobName": "testjob1", "weatherId": 1, "weatherName": "job1"}
    )


@pytest.mark.live
def test_every_sample_of_the_reference_holds(contract: Contract, processes: Processes, live_server: Any) -> None:
    processes.worker(VOLTMX_SERVER_URL=live_server.url)
    held = []
    for step in contract.steps():
        contract.check(step)
        held.append(step["name"])
    assert held == [path.stem for path in sorted(DATA.glob("*.json"))]


def test_a_server_that_differs_breaks_the_contract(contract: Contract) -> None:
    steps = {step["name"]: step for step in contract.steps()}
    contract.check(steps["01-login"])
    contract.check(steps["03-create"])
    other = json.loads(json.dumps(steps["06-details"]).replace('"30"', "30"))
    with pytest.raises(Broken, match=r"body.retentionPeriod is '30' instead of 30"):
        contract.check(other)


def test_names_are_chosen_that_are_free(contract: Contract) -> None:
    contract.variables = {"user": "admin", "password": PASSWORD}
    contract.choose_names()
    assert {name: contract.variables[name] for name in ("jobId", "weatherId", "jobName", "weatherName")} == {
        "jobId": 2,
        "weatherId": 1,
        "jobName": "testjob1",
        "weatherName": "job1",
    }
