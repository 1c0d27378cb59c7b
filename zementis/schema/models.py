"""The operations on models, and scoring of records at once. PMML and ONNX have a path each and share the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zementis.schema.words import MODELS, TEXT, answer, content, path_parameter, query, ref, service_refusals

_IRIS = {
    "modelName": "Iris_CT",
    "description": "A tree of iris species.",
    "creationDate": "Sep 29, 2011",
    "isActive": True,
    "inputFields": [{"usage": "ACTIVE", "name": "petal_length", "type": "DOUBLE"}],
    "outputFields": [{"usage": "OUTPUT", "name": "class", "type": "STRING"}],
}
_LISTED = {"models": ["Iris_CT"]}
_NO_MODEL = {"errors": ["Model 'Dummy' not found."]}
_NAME = path_parameter("modelName", "The model's name.")
_BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}
_FILE = {
    "required": True,
    "description": "The file in a form's field `file`, or as the body with its name in `?file=`. PMML may come packed "
    "as zip or gzip.",
    "content": {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]},
        },
        **content(_BINARY, "application/octet-stream", "application/xml", "text/xml", "application/zip"),
    },
}
_CSV = {"type": "string", "description": "A header with the names, then a line per record."}
_RECORDS = {
    "required": True,
    "content": {
        **content(ref("ZementisRecords"), examples={"sample": {"petal_length": 1.4}}),
        **content(_CSV, "text/csv", examples={"sample": "petal_length\n1.4\n"}),
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]},
        },
    },
}
_SCORED = answer(
    "The outputs, as CSV where `Accept` names text/csv.",
    ref("ZementisScores"),
    example={"model": "Iris_CT", "outputs": [{"class": "setosa"}]},
)
_SCORED["content"] |= content(_CSV, "text/csv; charset=utf-8", examples={"sample": "class\nsetosa\n"})


def _collection(suffix: str, words: str) -> dict[str, dict[str, Any]]:
    listed = answer("The models' names.", ref("ZementisModels"), example=_LISTED)
    return {
        "get": {
            "operationId": f"zementis{suffix}_models",
            "summary": f"List the {words} models",
            "description": "Needs `view_scoringmodel`.",
            "responses": {"200": listed, **service_refusals()},
        },
        "post": _upload(f"zementis{suffix}_upload_to_models", words),
        "delete": {
            "operationId": f"zementis{suffix}_delete_models",
            "summary": f"Remove all {words} models",
            "description": "Lists what remains. Needs `delete_scoringmodel`.",
            "responses": {"200": listed, **service_refusals()},
        },
    }


def _upload(operation: str, words: str) -> dict[str, Any]:
    invalid = "Invalid onnx format." if words == "ONNX" else "Invalid XML format."
    return {
        "operationId": operation,
        "summary": f"Upload a {words} model" if words == "PMML" else "Upload an ONNX model",
        "description": "The name is the model's own, else the file's without extensions. Needs `add_scoringmodel`.",
        "parameters": [query("file", TEXT, "The file's name, where the body is the file.")],
        "requestBody": _FILE,
        "responses": {
            "201": answer("The model.", ref("ZementisModel"), example=_IRIS),
            **service_refusals(
                *(400, 409, 413, 415),
                e400={"errors": [invalid]},
                e409={"errors": ["A model with the name 'Iris_CT' already exists."]},
            ),
        },
    }


def _one(suffix: str) -> dict[str, dict[str, Any]]:
    return {
        "get": {
            "operationId": f"zementis{suffix}_model",
            "summary": "Get a model's information",
            "description": "Needs `view_scoringmodel`.",
            "responses": {
                "200": answer("The model.", ref("ZementisModel"), example=_IRIS),
                **service_refusals(404, e404=_NO_MODEL),
            },
        },
        "delete": {
            "operationId": f"zementis{suffix}_delete_model",
            "summary": "Remove a model",
            "description": "Runs of jobs that refer to it fail from then on. Needs `delete_scoringmodel`.",
            "responses": {
                "200": answer("The names that remain.", ref("ZementisModels"), example=_LISTED),
                **service_refusals(404, e404=_NO_MODEL),
            },
        },
    }


def _source(suffix: str) -> dict[str, dict[str, Any]]:
    return {
        "get": {
            "operationId": f"zementis{suffix}_model_source",
            "summary": "Get a model's file as it was uploaded",
            "description": "Needs `view_scoringmodel`.",
            "responses": {
                "200": {
                    "description": "The file: XML, or whatever it was packed as.",
                    "content": content(_BINARY, "application/xml", "application/octet-stream"),
                },
                **service_refusals(404, e404=_NO_MODEL),
            },
        }
    }


def _switch(verb: str) -> Callable[[str], dict[str, dict[str, Any]]]:
    def operations(suffix: str) -> dict[str, dict[str, Any]]:
        return {
            "put": {
                "operationId": f"zementis{suffix}_{verb}_model",
                "summary": f"{verb.capitalize()} a model",
                "description": "Runs of jobs that refer to a model that is switched off fail and say so. "
                "Needs `change_scoringmodel`.",
                "responses": {
                    "200": answer("The model.", ref("ZementisModel"), example=_IRIS),
                    **service_refusals(404, e404=_NO_MODEL),
                },
            }
        }

    return operations


def _apply(suffix: str) -> dict[str, dict[str, Any]]:
    refused = service_refusals(
        *(400, 404, 409, 413, 415),
        e400={"errors": ["Failed to parse input at record 1."]},
        e404=_NO_MODEL,
        e409={"errors": ["Model 'Iris_CT' is not active."]},
    )
    return {
        "get": {
            "operationId": f"zementis{suffix}_apply_record",
            "summary": "Score one record",
            "description": "Needs `view_scoringmodel`.",
            "parameters": [query("record", TEXT, 'A record as JSON, such as `{"petal_length":1.4}`.', required=True)],
            "responses": {"200": _SCORED, **refused},
        },
        "post": {
            "operationId": f"zementis{suffix}_apply_records",
            "summary": "Score records",
            "description": "JSON or CSV, in the body or as a form's `file`. Needs `view_scoringmodel`.",
            "requestBody": _RECORDS,
            "responses": {"200": _SCORED, **refused},
        },
    }


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return all of them; what one model can be asked for answers below ``onnx/`` too, of whatever format it is."""
    root = "/service/zementis"
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for prefix, suffix, words in (("", "", "PMML"), ("onnx/", "_onnx", "ONNX")):
        for method, operation in _collection(suffix, words).items():
            found[f"{root}/{prefix}models", method] = operation
        found[f"{root}/{prefix}model", "post"] = _upload(f"zementis{suffix}_upload_model", words)
        of_one: dict[str, Callable[[str], dict[str, dict[str, Any]]]] = {
            "model/{modelName}": _one,
            "model/{modelName}/source": _source,
            "model/{modelName}/activate": _switch("activate"),
            "model/{modelName}/deactivate": _switch("deactivate"),
            "apply/{modelName}": _apply,
        }
        for path, operations in of_one.items():
            for method, operation in operations(suffix).items():
                parameters = [_NAME, *operation.get("parameters", ())]
                found[f"{root}/{prefix}{path}", method] = {**operation, "parameters": parameters}
    return {key: {**operation, "tags": [MODELS]} for key, operation in found.items()}


MODEL_OPERATIONS = _operations()
