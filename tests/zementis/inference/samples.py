"""The test models and what their estimators say: see tests/data/models/make_models.py."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from zementis.inference import Engine, Scorer, load

MODELS = Path(__file__).resolve().parents[2] / "data" / "models"
DEMO = Path(__file__).resolve().parents[3] / "zementis" / "demo"

Columns = dict[str, np.ndarray[Any, Any]]


@cache
def _expected() -> dict[str, np.ndarray[Any, Any]]:
    with np.load(MODELS / "expected.npz") as file:
        return {name: file[name] for name in file.files}


def asked(name: str) -> Columns:
    """Give the rows the estimator was asked, by column."""
    return _of(name, "in")


def answered(name: str) -> Columns:
    """Give the estimator's answers, by output."""
    return _of(name, "out")


def source(name: str) -> bytes:
    """Give a model file, PMML or ONNX."""
    kind = "onnx" if name.startswith("onnx") else "pmml"
    return (MODELS / f"{name}.{kind}").read_bytes()


def scorer(name: str, *, engine: Engine | None = None) -> Scorer:
    """Load a model of the folder."""
    return load(source(name), format="ONNX" if name.startswith("onnx") else "PMML", engine=engine)


def _of(name: str, side: str) -> Columns:
    found = {key.split("|")[2]: values for key, values in _expected().items() if key.startswith(f"{name}|{side}|")}
    return {key: values if values.dtype.kind != "U" else values.astype(object) for key, values in found.items()}
