"""The process that looks into an untrusted model file: ``python -m zementis.inference.inspector``.

Reads a JSON line (format and limits) and then the file from standard input; writes the description, or the errors,
as JSON to standard output. It bounds itself before it reads a byte of the file.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

from zementis.inference import comparison, jvm, onnx, onnx_graph, pmml, pypmml, samples, verification
from zementis.inference.archive import unpack
from zementis.inference.description import Engine, ModelDescription
from zementis.inference.errors import INVALID_ONNX, INVALID_XML, InvalidModel, ScoringError
from zementis.inference.expressions import NotCompilable
from zementis.inference.limits import MEGABYTE, Limits
from zementis.inference.pmml import Document
from zementis.inference.trees import TreeScorer


def main() -> None:
    """Inspect one file and answer."""
    # Engines print; only the answer may reach the caller.
    answer = os.dup(1)
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**order["limits"])
    _bound(limits)
    result: dict[str, Any] = {}
    try:
        result = _describe(sys.stdin.buffer.read(), order["format"], limits)
    except MemoryError:
        # Answered below, when what filled the memory is let go of with the traceback.
        pass
    finally:
        jvm.stop()
    if not result:
        invalid = INVALID_ONNX if order["format"] == "ONNX" else INVALID_XML
        result = {"errors": [invalid, f"The model needs more than {limits.memory_bytes // MEGABYTE} MB to load."]}
    with os.fdopen(answer, "wb") as stream:
        stream.write(json.dumps(result).encode())


def _bound(limits: Limits) -> None:
    for kind, amount in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, MEGABYTE),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))


def _describe(data: bytes, kind: str, limits: Limits) -> dict[str, Any]:
    invalid = INVALID_ONNX if kind == "ONNX" else INVALID_XML
    try:
        model = unpack(data, limits=limits)
        description = _onnx(model) if kind == "ONNX" else _pmml(model, limits)
        return {"description": description.to_json()}
    except InvalidModel as error:
        return {"errors": list(error.errors)}
    except ScoringError as error:
        if error.retryable:
            return {"errors": [invalid, f"The model could not be tried. {error}"]}
        return {"errors": [invalid, f"The model cannot score rows. {error}"]}
    except RecursionError:
        return {"errors": [invalid, "The model is nested too deeply."]}


def _onnx(model: bytes) -> ModelDescription:
    graph = onnx_graph.read(model)
    scorer = onnx.OnnxScorer(graph)
    # Text inputs are not tried: an encoder refuses words it has not seen, and the file's own are not told apart.
    if not any(field.type == "STRING" for field in scorer.inputs):
        scorer.score(samples.rows(scorer.inputs))
    return ModelDescription(
        name=None,
        description=graph.description,
        format="ONNX",
        model_class=graph.model_class,
        inputs=scorer.inputs,
        outputs=scorer.outputs,
        accepts_missing=scorer.accepts_missing,
        engine="onnxruntime",
        engine_reason="ONNX models run on onnxruntime.",
        creation_date=None,
    )


def _pmml(model: bytes, limits: Limits) -> ModelDescription:
    document = pmml.read(model, limits=limits)
    compiled, reason = _compiled(document)
    # pypmml loads every model: it is the judge of the compiled one, and the engine of all others.
    reference = pypmml.PypmmlScorer(document)
    rows = _rows(document, compiled)
    answers = reference.score(rows)
    engine: Engine = "pypmml"
    if compiled is not None:
        difference = comparison.difference(compiled.score(rows), answers)
        if difference is None:
            engine = "trees"
            reason = f"Its trees are compiled and agree with pypmml on {samples.ROWS} made-up rows; no Java is needed."
        else:
            reason = f"Runs on pypmml: its trees can be compiled, but {difference}."
    verified = verification.verify(document, compiled if compiled is not None and engine == "trees" else reference)
    return ModelDescription(
        name=document.name,
        description=document.description,
        format="PMML",
        model_class=document.model_class,
        inputs=document.inputs,
        outputs=reference.outputs,
        accepts_missing=document.accepts_missing,
        engine=engine,
        engine_reason=f"{reason} {verified}".rstrip(),
        creation_date=document.creation_date,
    )


def _compiled(document: Document) -> tuple[TreeScorer | None, str]:
    """Give the compiled model, or None and why it runs on pypmml."""
    try:
        return TreeScorer(document), ""
    except NotCompilable as error:
        return None, f"Runs on pypmml: the tree compiler does not cover it ({error})."


def _rows(document: Document, compiled: TreeScorer | None) -> dict[str, Any]:
    numbers = document.bounds() | (compiled.splits if compiled is not None else {})
    return samples.rows(document.inputs, numbers=numbers, words=document.categories(), holes=document.accepts_missing)


if __name__ == "__main__":
    main()
