"""The OpenAPI document as a whole: valid, complete, written down, and readable in a browser by those who may."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

import voltmx.schema
import zementis.schema
from jobsite import openapi
from tests import described

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = ROOT / "docs" / "openapi.yaml"


def test_the_document_is_valid_and_nothing_is_left_undescribed() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file="/dev/null")
    assert described.document()["openapi"].startswith("3.1.")


def test_the_written_document_is_the_one_that_is_served() -> None:
    made = OpenApiYamlRenderer().render(described.document(), renderer_context={})
    assert WRITTEN.read_bytes() == made, "write it anew: manage.py spectacular --validate --file docs/openapi.yaml"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the generator is told to be an error."""
    errors: list[str] = []
    monkeypatch.setattr(openapi, "error", errors.append)
    return errors


def test_a_view_that_its_surface_does_not_state_is_an_error(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    kept = {key: value for key, value in voltmx.schema.OPERATIONS.items() if value["operationId"] != "voltmx_run_job"}
    monkeypatch.setattr(voltmx.schema, "OPERATIONS", kept)
    SchemaGenerator().get_schema(request=None, public=True)
    assert told == ["POST /admin/api/jobs/job/run/{jobId} is stated in none of voltmx.schema, zementis.schema."]


def test_a_statement_without_a_view_is_an_error(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    more = {**zementis.schema.OPERATIONS, ("/service/zementis/dreams", "get"): {}}
    monkeypatch.setattr(zementis.schema, "OPERATIONS", more)
    SchemaGenerator().get_schema(request=None, public=True)
    assert told == ["GET /service/zementis/dreams is stated, but there is no such address."]


@pytest.mark.parametrize(
    ("regex", "paths"),
    [
        (r"^admin/api/jobs/job/?\Z", ["/admin/api/jobs/job"]),
        (r"^job/?(?P<number>[^/]+)/?\Z", ["/job{jobId}", "/job/{jobId}"]),
        (r"service/^(?:onnx/)?model/(?P<name>[^/]+)/?$", ["/service/model/{name}", "/service/onnx/model/{name}"]),
        (r"^x/(?P<family>a|b)/(?P<number>[^/]+)/?$", ["/x/{family}/{jobId}"]),
    ],
)
def test_addresses_are_shown_as_people_write_them(regex: str, paths: list[str]) -> None:
    assert openapi.paths_of(regex, {"number": "jobId"}) == paths


def test_the_document_is_made_once_however_many_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    def slowly(generator: Any, request: Any = None, public: bool = False) -> dict[str, Any]:
        made.append(public)
        # Time for another thread to come in, if it can.
        threading.Event().wait(0.1)
        return {"openapi": "3.1.0"}

    monkeypatch.setattr(SchemaGenerator, "get_schema", slowly)
    monkeypatch.setattr(openapi.DocumentGenerator, "_made", None)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: openapi.DocumentGenerator().get_schema(), range(4)))
    assert (made, found) == ([True], [{"openapi": "3.1.0"}] * 4)


@pytest.mark.django_db
def test_the_document_is_the_same_whatever_version_is_asked_for(client: Client) -> None:
    client.force_login(User.objects.create_user("reader"))
    plain = client.get("/api/schema?format=json").json()
    assert client.get("/api/schema?format=json&version=7&lang=de").json() == plain == described.document()


def test_every_parameter_of_a_path_is_described() -> None:
    missing = [
        (path, method)
        for path, item in described.document()["paths"].items()
        for method, operation in item.items()
        if set(re.findall(r"{(\w+)}", path))
        != {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
    ]
    assert missing == []


def bodies(node: Any) -> Any:
    """Every schema that has examples beside it, with the examples."""
    if isinstance(node, dict):
        if "schema" in node and "examples" in node:
            yield node["schema"], [example["value"] for example in node["examples"].values()]
        for value in node.values():
            yield from bodies(value)
    elif isinstance(node, list):
        for value in node:
            yield from bodies(value)


def test_every_example_is_of_its_own_schema() -> None:
    found = [
        (problem, example)
        for schema, examples in bodies(described.document())
        for example in examples
        for problem in described.problems(schema, example)
    ]
    assert found == []


def test_every_reference_leads_somewhere() -> None:
    document = described.document()
    references = set(re.findall(r"'\$ref': '#/components/(\w+)/(\w+)'", str(document)))
    assert [each for each in references if each[1] not in document["components"][each[0]]] == []


def test_no_component_is_of_no_use() -> None:
    document = described.document()
    used = set(re.findall(r"'\$ref': '#/components/\w+/(\w+)'", str(document)))
    made = {name for section in ("schemas", "responses") for name in document["components"][section]}
    assert made - used == set()


@pytest.mark.django_db
def test_the_page_takes_its_assets_from_here(client: Client) -> None:
    client.force_login(User.objects.create_user("reader"))
    page = client.get("/api/docs")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert (page.status_code, len(addresses) >= 5) == (200, True)
    assert [address for address in addresses if not address.startswith(("/static/", "/admin/", "/api/schema"))] == []
    assert "/api/schema" in page.content.decode()


@pytest.mark.django_db
def test_the_assets_of_the_page_are_served(client: Client) -> None:
    client.force_login(User.objects.create_user("reader"))
    page = client.get("/api/docs").content.decode()
    answers = {address: client.get(address).status_code for address in re.findall(r'="(/static/[^"]+)"', page)}
    assert set(answers.values()) == {200}


@pytest.mark.django_db
def test_the_page_is_for_those_who_have_logged_in(client: Client) -> None:
    answer = client.get("/api/docs")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/api/docs")
