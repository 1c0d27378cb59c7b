"""Records scored while the client waits."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.zementis.conftest import Api, answer, content
from tests.zementis.factories import COMFORT, FOREST, a_model, description_of
from zementis import inference, model_store
from zementis.inference import ScoringError
from zementis.scoring_process import ScoringProcess, process

pytestmark = pytest.mark.django_db

APPLY = "/service/zementis/apply/IsolationForest"
RECORD = {
    "accelerationX": 0.1,
    "accelerationY": 0.2,
    "accelerationZ": 9.8,
    "gyroX": 0.0,
    "gyroY": 0.0,
    "gyroZ": 0.0,
}


@pytest.fixture(autouse=True, scope="module")
def _no_process_left() -> Iterator[None]:
    yield
    process.close()


@pytest.fixture
def outputs(db: None) -> dict[str, Any]:
    """What the engine itself says of the record."""
    import numpy as np

    a_model()
    scorer = inference.load(FOREST.read_bytes(), format="PMML", engine=description_of(FOREST).engine)
    columns = scorer.score({name: np.array([value]) for name, value in RECORD.items()})
    return {name: column.tolist()[0] for name, column in columns.items()}


def test_a_single_record_is_scored(api: Api, outputs: dict[str, Any]) -> None:
    assert answer(api.get(APPLY, {"record": json.dumps(RECORD)})) == (
        200,
        {"model": "IsolationForest", "outputs": [outputs]},
    )


def test_numbers_may_come_as_text(api: Api, outputs: dict[str, Any]) -> None:
    record = {name: str(value) for name, value in RECORD.items()}
    assert answer(api.get(APPLY, {"record": json.dumps(record)}))[1]["outputs"] == [outputs]


def test_many_json_records_are_scored_in_order(api: Api, outputs: dict[str, Any]) -> None:
    far = dict.fromkeys(RECORD, 50.0)
    code, found = answer(api.post(APPLY, [RECORD, far]))
    assert (code, found["outputs"][0], found["outputs"][1]["outlier"]) == (200, outputs, True)


def test_csv_records_are_scored(api: Api, outputs: dict[str, Any]) -> None:
    text = ",".join(RECORD) + "\n" + ",".join(str(value) for value in RECORD.values()) + "\n"
    assert answer(api.post(APPLY, text, content_type="text/csv"))[1]["outputs"] == [outputs]


def test_a_csv_file_in_a_form_is_scored(api: Api, outputs: dict[str, Any]) -> None:
    text = ",".join(RECORD) + "\r\n" + ",".join(str(value) for value in RECORD.values())
    file = SimpleUploadedFile("records.csv", text.encode())
    response = api._client.post(APPLY, {"file": file}, headers={"Authorization": api.login})
    assert answer(response)[1]["outputs"] == [outputs]


def test_csv_is_answered_to_those_who_want_it(api: Api, outputs: dict[str, Any]) -> None:
    response = api.post(APPLY, [RECORD], headers={"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(content(response).decode())))
    assert rows == [list(outputs), ["false" if value is False else str(value) for value in outputs.values()]]


def test_text_outputs_are_text(api: Api) -> None:
    a_model(COMFORT)
    found = answer(api.post("/service/zementis/onnx/apply/Comfort", {"temperature": 22, "humidity": 45}))[1]
    assert found["outputs"][0]["output_label"] == "comfortable"


@pytest.mark.parametrize(
    ("body", "kind", "number"),
    [
        ("", "application/json", 1),
        ("{", "application/json", 1),
        ("[5]", "application/json", 1),
        (json.dumps([RECORD, {**RECORD, "gyroX": "abc"}]), "application/json", 2),
        (json.dumps([RECORD, {**RECORD, "gyroX": [1]}]), "application/json", 2),
        (json.dumps([RECORD, RECORD, {**RECORD, "gyroX": True}]), "application/json", 3),
        ("a,b\n1\n", "text/csv", 1),
        ("a,a\n1,2\n", "text/csv", 1),
        ("a", "text/csv", 1),
        ('a,b\n1,"2', "text/csv", 1),
    ],
)
def test_a_record_that_cannot_be_read_is_named(
    api: Api, outputs: dict[str, Any], body: str, kind: str, number: int
) -> None:
    assert answer(api.post(APPLY, body, content_type=kind)) == (
        400,
        {"errors": [f"Failed to parse input at record {number}."]},
    )


TYPES = [
    "application/json",
    "application/json; charset=utf-8",
    "application/vnd.acme.records+json",
    "text/csv",
    "text/CSV; header=present",
    "text/plain",
    "application/x-www-form-urlencoded",
    "",
]


@pytest.mark.parametrize("kind", TYPES)
def test_records_are_taken_under_every_type_that_clients_give_them(
    api: Api, outputs: dict[str, Any], kind: str
) -> None:
    assert answer(api.post(APPLY, json.dumps(RECORD).encode(), content_type=kind))[1]["outputs"] == [outputs]


@pytest.mark.parametrize(
    "kind", ["application/xml", "text/html", "application/octet-stream", "application/zip", "image/png", "x", "json"]
)
def test_another_content_type_is_not_scored(api: Api, outputs: dict[str, Any], kind: str) -> None:
    found = answer(api.post(APPLY, json.dumps(RECORD).encode(), content_type=kind))
    message = f"Content type '{kind}' is not supported; send application/json or text/csv."
    assert found == (415, {"errors": [message]})


def test_the_record_is_needed(api: Api, outputs: dict[str, Any]) -> None:
    assert answer(api.get(APPLY)) == (400, {"errors": ["The parameter record is missing."]})


def test_a_missing_value_is_not_guessed(api: Api, outputs: dict[str, Any]) -> None:
    code, found = answer(api.post(APPLY, {**RECORD, "gyroX": None}))
    assert (code, found["errors"][0][:50]) == (400, "Input 'gyroX' has no value in 1 of 1 rows, and the"[:50])


def test_no_records_have_no_outputs(api: Api, outputs: dict[str, Any]) -> None:
    assert answer(api.post(APPLY, [])) == (200, {"model": "IsolationForest", "outputs": []})


def test_an_unknown_model_is_not_found(api: Api) -> None:
    assert answer(api.get("/service/zementis/apply/Dummy", {"record": "{}"})) == (
        404,
        {"errors": ["Model 'Dummy' not found."]},
    )


def test_a_model_that_is_off_does_not_score(api: Api) -> None:
    a_model(active=False)
    assert answer(api.post(APPLY, RECORD)) == (409, {"errors": ["Model 'IsolationForest' is not active."]})


def test_an_engine_that_was_killed_is_started_again(outputs: dict[str, Any]) -> None:
    own = ScoringProcess()
    model = model_store.get("IsolationForest")
    columns = {name: [value] for name, value in RECORD.items()}
    first = own.score(model, columns)
    child = own._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert own.score(model, columns) == first
    own.close()


def test_an_engine_that_takes_too_long_is_ended(outputs: dict[str, Any]) -> None:
    own = ScoringProcess(seconds=0.001)
    with pytest.raises(ScoringError, match=r"longer than 0\.001 seconds"):
        own.score(model_store.get("IsolationForest"), {name: [value] for name, value in RECORD.items()})
    assert own._child is None
