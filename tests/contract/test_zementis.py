"""A running system answers every sample of the Zementis surface as the reference does."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from tests.contract import zementis
from tests.processes import Processes

# One process takes the samples. Their mark has the database made where nothing else is run.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("contract"), pytest.mark.django_db]


@pytest.fixture(scope="module")
def results(django_db_setup: None, django_db_blocker: Any) -> dict[str, zementis.Result]:
    """All samples, taken once from a real web server, beat and inference worker, which are gone then."""
    with django_db_blocker.unblock():
        processes = Processes()
        try:
            User.objects.create_superuser("contract", password="contract")
            _, url = processes.web()
            processes.beat()
            processes.worker(queues="inference", pool="prefork", concurrency=1)
            server = zementis.Server(url, "contract", "contract")
            return {result.name: result for result in server.run(zementis.steps())}
        finally:
            processes.close()
            call_command("flush", interactive=False, verbosity=0)


@pytest.mark.parametrize("name", zementis.samples())
def test_the_answer_is_the_references(name: str, results: dict[str, zementis.Result]) -> None:
    assert results[name].problems == ()
