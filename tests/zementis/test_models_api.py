"""Models over HTTP: uploaded in every packing, shown, switched, removed."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.zementis.conftest import Api, answer, content
from tests.zementis.factories import COMFORT, FOREST, LINE, SAMPLES, a_model, description_of
from zementis import inference, model_store
from zementis.models import ModelSource, ModelVersion

pytestmark = pytest.mark.django_db

MODEL = "/service/zementis/model"
MODELS = "/service/zementis/models"
ONNX = "/service/zementis/onnx/models"
TREE = SAMPLES / "decision_tree_regression.pmml"


def upload(api: Api, data: bytes, name: str | None = None, path: str = MODEL) -> tuple[int, Any]:
    query = f"?file={name}" if name else ""
    return answer(api.post(f"{path}{query}", data, content_type="application/octet-stream"))


def zipped(*files: tuple[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, data in files:
            writing.writestr(name, data)
    return archive.getvalue()


def test_an_uploaded_model_is_described(api: Api) -> None:
    code, found = upload(api, FOREST.read_bytes())
    assert (code, found) == (
        201,
        {
            "modelName": "IsolationForest",
            "description": "Finds knocks in the movement of a humming machine.",
            "creationDate": "Nov 22, 2026",
            "isActive": True,
            "inputFields": [
                {"usage": "ACTIVE", "name": name, "type": "FLOAT"}
                for name in ("accelerationX", "accelerationY", "accelerationZ", "gyroX", "gyroY", "gyroZ")
            ],
            "outputFields": [
                {"usage": "OUTPUT", "name": "rawAnomalyScore", "type": "DOUBLE"},
                {"usage": "OUTPUT", "name": "normalizedAnomalyScore", "type": "DOUBLE"},
                {"usage": "OUTPUT", "name": "decisionFunction", "type": "DOUBLE"},
                {"usage": "OUTPUT", "name": "outlier", "type": "BOOLEAN"},
            ],
        },
    )
    assert answer(api.get(f"{MODEL}/IsolationForest")) == (200, found)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(LINE.read_bytes()), "line.pmml.gz"),
        (zipped(("line.pmml", LINE.read_bytes())), "C:\\models\\line.zip"),
        (LINE.read_bytes(), "folder/line.xml"),
    ],
)
def test_a_model_without_a_name_takes_its_files(api: Api, data: bytes, name: str) -> None:
    assert description_of(LINE).name is None
    code, found = upload(api, data, name)
    assert (code, found.get("modelName")) == (201, "line")


@pytest.mark.parametrize("name", ["a/b", "..", "."])
def test_a_name_that_no_address_can_hold_is_refused(api: Api, name: str) -> None:
    named = LINE.read_bytes().replace(b"<RegressionModel ", b'<RegressionModel modelName="%b" ' % name.encode())
    answered = upload(api, named, "line.pmml")
    assert answered == (400, {"errors": [f"A model's name has no '/' and is not '.' or '..'; this one is '{name}'."]})
    assert answer(api.get("/service/zementis/models")) == (200, {"models": []})


def test_a_form_with_a_file_is_taken(api: Api) -> None:
    file = SimpleUploadedFile("line.pmml", LINE.read_bytes())
    client = api._client
    response = client.post(MODEL, {"file": file}, headers={"Authorization": api.login})
    assert (response.status_code, answer(response)[1]["modelName"]) == (201, "line")


def test_a_form_without_a_file_is_refused(api: Api) -> None:
    response = api._client.post(MODEL, {"other": "x"}, headers={"Authorization": api.login})
    assert answer(response) == (400, {"errors": ["The form has no file in its field 'file'."]})


def test_a_broken_form_is_refused(api: Api) -> None:
    response = api.post(MODEL, b"nonsense", content_type="multipart/form-data; boundary=x")
    assert response.status_code == 400
    response = api.post(MODEL, b"nonsense", content_type="multipart/form-data")
    assert response.status_code == 400


def test_a_name_that_is_taken_conflicts(api: Api) -> None:
    a_model()
    assert upload(api, FOREST.read_bytes()) == (
        409,
        {"errors": ["A model with the name 'IsolationForest' already exists."]},
    )


@pytest.mark.parametrize("data", [b"", b"nonsense", b"<PMML", b"<html/>", b"\x00\xff"])
def test_what_is_no_model_is_refused(api: Api, data: bytes) -> None:
    code, found = upload(api, data, "x.pmml")
    assert (code, found["errors"][0]) == (400, "Invalid XML format.")


def test_what_is_no_onnx_model_is_refused(api: Api) -> None:
    code, found = upload(api, b"nonsense", "x.onnx", ONNX)
    assert (code, found["errors"][0]) == (400, "Invalid onnx format.")


def test_pmml_and_onnx_are_listed_apart(api: Api) -> None:
    a_model()
    assert upload(api, COMFORT.read_bytes(), "Comfort.onnx", ONNX)[0] == 201
    assert answer(api.get(MODELS)) == (200, {"models": ["IsolationForest"]})
    assert answer(api.get(ONNX)) == (200, {"models": ["Comfort"]})


def test_a_model_is_switched_off_and_on(api: Api) -> None:
    a_model()
    states = [answer(api.put(f"{MODEL}/IsolationForest/{verb}"))[1]["isActive"] for verb in ("deactivate", "activate")]
    assert states == [False, True]


def test_a_removed_model_is_gone_with_its_file(api: Api) -> None:
    a_model()
    a_model(LINE, name="Line")
    assert answer(api.delete(f"{MODEL}/IsolationForest")) == (200, {"models": ["Line"]})
    assert ModelSource.objects.count() == 1


def test_all_models_of_a_format_are_removed(api: Api) -> None:
    a_model()
    a_model(COMFORT)
    assert answer(api.delete(MODELS)) == (200, {"models": []})
    assert model_store.names() == ["Comfort"]


def test_the_source_comes_back_byte_for_byte(api: Api) -> None:
    a_model()
    response = api.get(f"{MODEL}/IsolationForest/source")
    assert (content(response), response["Content-Type"]) == (FOREST.read_bytes(), "application/xml")


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("GET", "/source"), ("PUT", "/activate"), ("PUT", "/deactivate")]
)
def test_an_unknown_model_is_not_found(api: Api, method: str, rest: str) -> None:
    assert answer(api(method, f"{MODEL}/Dummy{rest}")) == (404, {"errors": ["Model 'Dummy' not found."]})


def test_a_file_beyond_the_limit_is_refused_unread(api: Api) -> None:
    assert upload(api, b" " * (64 * 1024 * 1024 + 1)) == (
        413,
        {"errors": ["The request body is larger than 64 MB."]},
    )


def test_replacing_keeps_the_earlier_version(db: None) -> None:
    a_model(LINE, name="Line")
    replaced = model_store.replace("Line", TREE.read_bytes(), file_name="tree.pmml", by="tester")
    assert (replaced.version, replaced.description.model_class) == (2, description_of(TREE).model_class)
    assert list(ModelVersion.objects.order_by("number").values_list("number", "current")) == [(1, False), (2, True)]


def test_going_back_to_an_earlier_file_makes_no_third_version(db: None) -> None:
    a_model(LINE, name="Line")
    model_store.replace("Line", TREE.read_bytes(), file_name="tree.pmml", by="tester")
    back = model_store.replace("Line", LINE.read_bytes(), file_name="line.pmml", by="tester")
    assert (back.version, ModelVersion.objects.count()) == (1, 2)


def test_a_process_forgets_models_that_were_replaced_or_switched_off(db: None) -> None:
    a_model(LINE, name="Line")
    a_model(TREE, name="Tree")
    line, tree = model_store.get("Line"), model_store.get("Tree")
    model_store.load(line)
    model_store.load(tree)
    assert set(inference.cache.hashes()) == {line.content_hash, tree.content_hash}
    model_store.set_active("Line", False, by="tester")
    model_store.load(tree)
    assert inference.cache.hashes() == [tree.content_hash]


def test_two_models_may_share_a_file(db: None) -> None:
    a_model(LINE, name="One")
    a_model(LINE, name="Two")
    model_store.delete("One", by="tester")
    assert model_store.source(model_store.get("Two")) == LINE.read_bytes()
