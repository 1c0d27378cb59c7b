"""Rows per second of each model engine beside the bare engine on the same matrix, in one process.

``python -m benchmarks.engines [rows]``, 100,000 rows unless told otherwise. Bare means: onnxruntime's ``run`` on a
finished matrix, or one ready-made JSON request to Java and the parsed answer; what is added by `score` is the check
of the columns, the making of the matrix, and the naming of the answers.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from zementis.inference import Engine, Format, load, onnx, onnx_graph

ROOT = Path(__file__).resolve().parents[1]
FOREST = ROOT / "zementis" / "demo" / "IsolationForest.pmml"
MODELS = ROOT / "tests" / "data" / "models"
CASES: list[tuple[str, Path, Format, Engine]] = [
    ("100-tree IsolationForest", FOREST, "PMML", "trees"),
    ("100-tree IsolationForest", FOREST, "PMML", "pypmml"),
    ("logistic regression", MODELS / "logistic_regression.pmml", "PMML", "pypmml"),
    ("neural network", MODELS / "neural_network_regression.pmml", "PMML", "pypmml"),
    ("logistic regression", MODELS / "onnx_logistic_regression.onnx", "ONNX", "onnxruntime"),
    ("neural network", MODELS / "onnx_neural_network.onnx", "ONNX", "onnxruntime"),
]
# The movement the demonstration model was fitted on; see zementis/demo/make_model.py.
REST = np.array([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])
HUM = np.array([0.30, 0.30, 0.25, 0.05, 0.05, 0.08])
REPEATS = 5
# Rows of one request to Java, which is what took it the least time for each; zementis.inference.pypmml sends fewer.
JAVA_ROWS = 20_000


def best(*functions: Callable[[], object]) -> list[float]:
    """Give each function's shortest run in seconds, taken in turns so that a busy machine is busy for all of them.

    The first turn, which warms Java up, is not counted.
    """
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(REPEATS + 1):
        for function, taken in zip(functions, times, strict=True):
            started = time.perf_counter()
            function()
            if turn:
                taken.append(time.perf_counter() - started)
    return [min(taken) for taken in times]


def bare(scorer: Any, matrix: np.ndarray[Any, Any], *, content: bytes) -> Callable[[], object]:
    """Give the engine's own call on the matrix; ``content``: the model's file."""
    if scorer.engine == "pypmml":
        names = [field.name for field in scorer.inputs]
        # As for the other engines, the values that a field of single precision holds: Java reads more digits of them.
        singles = [place for place, field in enumerate(scorer.inputs) if field.type == "FLOAT"]
        matrix = matrix.copy()
        matrix[:, singles] = matrix[:, singles].astype(np.float32)
        parts = [matrix[start : start + JAVA_ROWS] for start in range(0, len(matrix), JAVA_ROWS)]
        return lambda: [
            json.loads(scorer._model.predict(json.dumps({"columns": names, "data": part.tolist()}))) for part in parts
        ]
    session = scorer._session
    if scorer.engine == "trees":
        order = [[field.name for field in scorer.inputs].index(name) for name in scorer._features]
        finished = np.ascontiguousarray(matrix[:, order].astype(np.float32).astype(np.float64))
    else:
        finished = matrix.astype(np.float32)
        # As the file has it, with texts where it has texts, but for maps, a Python dict a row, which nobody would want.
        session = onnx.session(onnx_graph.read(content, numbered=False).content)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: finished})


def main() -> None:
    """Measure and print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    random = np.random.default_rng(1)
    lines = ["| model | engine | rows/s | bare | share |", "|---|---|---|---|---|"]
    for title, path, kind, engine in CASES:
        scorer = load(path.read_bytes(), format=kind, engine=engine)
        matrix = random.normal(0.0, 1.0, (rows, len(scorer.inputs)))
        if path == FOREST:
            # As the model knows it, else every row would end in the first leaf beyond the data.
            matrix = matrix * HUM + REST
        columns = {field.name: matrix[:, place].copy() for place, field in enumerate(scorer.inputs)}
        ours, theirs = best(partial(scorer.score, columns), bare(scorer, matrix, content=path.read_bytes()))
        lines.append(f"| {title} | {engine} | {rows / ours:,.0f} | {rows / theirs:,.0f} | {theirs / ours:.2f} |")
        scorer.close()
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
