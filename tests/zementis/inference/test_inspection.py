"""What an inspection tells of good files."""

import datetime
import gzip
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.zementis.inference import samples
from zementis.inference import Field, InvalidModel, ModelDescription, inspect, load

MOVEMENT = ["accelerationX", "accelerationY", "accelerationZ", "gyroX", "gyroY", "gyroZ"]
ISOLATION_FOREST = ModelDescription(
    name="IsolationForest",
    description="Finds knocks in the movement of a humming machine.",
    format="PMML",
    model_class="MiningModel",
    inputs=tuple(Field(name, "FLOAT", "ACTIVE") for name in MOVEMENT),
    outputs=(
        Field("rawAnomalyScore", "DOUBLE", "OUTPUT"),
        Field("normalizedAnomalyScore", "DOUBLE", "OUTPUT"),
        Field("decisionFunction", "DOUBLE", "OUTPUT"),
        Field("outlier", "BOOLEAN", "OUTPUT"),
    ),
    accepts_missing=False,
    engine="trees",
    engine_reason="Its trees are compiled and agree with pypmml on 100 made-up rows; no Java is needed.",
    creation_date=datetime.date(2026, 11, 22),
)
COMFORT = ModelDescription(
    name=None,
    description="Tells whether a room is comfortable from its temperature and humidity.",
    format="ONNX",
    model_class="LinearClassifier",
    inputs=(Field("temperature", "FLOAT", "ACTIVE"), Field("humidity", "FLOAT", "ACTIVE")),
    outputs=(
        Field("output_label", "STRING", "OUTPUT"),
        Field("probability(cold)", "FLOAT", "OUTPUT"),
        Field("probability(comfortable)", "FLOAT", "OUTPUT"),
        Field("probability(warm)", "FLOAT", "OUTPUT"),
    ),
    accepts_missing=False,
    engine="onnxruntime",
    engine_reason="ONNX models run on onnxruntime.",
    creation_date=None,
)


def test_the_demonstration_forest_is_described() -> None:
    assert inspect(samples.DEMO / "IsolationForest.pmml", format="PMML") == ISOLATION_FOREST


def test_the_demonstration_onnx_model_is_described() -> None:
    assert inspect(samples.DEMO / "Comfort.onnx", format="ONNX") == COMFORT


def test_a_description_survives_json() -> None:
    assert ModelDescription.from_json(json.loads(json.dumps(ISOLATION_FOREST.to_json()))) == ISOLATION_FOREST


def test_a_zipped_file_is_unpacked() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(samples.DEMO / "IsolationForest.pmml", "models/IsolationForest.pmml")
    assert inspect(packed.getvalue(), format="PMML") == ISOLATION_FOREST


def test_a_gzipped_file_is_unpacked_and_loaded() -> None:
    packed = gzip.compress((samples.DEMO / "Comfort.onnx").read_bytes())
    assert inspect(packed, format="ONNX") == COMFORT
    answers = load(packed, format="ONNX").score({"temperature": np.array([10.0]), "humidity": np.array([20.0])})
    assert answers["output_label"].tolist() == ["cold"]


def test_the_references_decision_function_comes_from_the_normalized_score() -> None:
    scorer = load((samples.DEMO / "IsolationForest.pmml").read_bytes(), format="PMML")
    rows = dict.fromkeys(MOVEMENT, np.linspace(-3.0, 3.0, 50))
    answers = scorer.score(rows)
    assert np.allclose(answers["decisionFunction"], 0.5 - 2.0 ** -answers["normalizedAnomalyScore"], atol=1e-15)
    assert answers["outlier"].tolist() == (answers["decisionFunction"] <= 0.0).tolist()


def test_importing_the_package_imports_no_engine() -> None:
    script = "import sys, zementis.inference; print([m for m in ('numpy', 'onnxruntime', 'py4j') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_nearest_neighbours_are_refused() -> None:
    with pytest.raises(InvalidModel) as refusal:
        inspect(samples.source("nearest_neighbours"), format="PMML")
    assert refusal.value.errors == ("Nearest-neighbour models (NearestNeighborModel) are not supported.",)
