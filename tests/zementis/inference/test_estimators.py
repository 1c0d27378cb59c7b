"""Every model class against the estimator it was exported from, on the same 300 rows.

The numbers are the largest differences allowed, absolute; the observed ones are in docs/inference.md.
"""

import numpy as np
import pytest

from tests.zementis.inference import samples
from zementis.inference import Engine, ModelDescription, inspect

PYPMML = {
    "linear_regression": 1e-12,
    "imputed_regression": 1e-12,
    "categorical_regression": 1e-12,
    "categorical_tree": 1e-12,
    "poisson_regression": 1e-12,
    "logistic_regression": 1e-13,
    "logistic_regression_binary": 1e-13,
    "naive_bayes": 1e-12,
    "support_vector_regression": 1e-11,
    "neural_network_regression": 1e-12,
    "neural_network_classification": 1e-13,
    "general_regression": 1e-12,
    # PMML4S counts with a rounded constant of Euler's.
    "anomaly_detection": 1e-9,
    "scorecard": 0.0,
}
TREES = {
    "decision_tree_regression": 1e-12,
    "decision_tree_classification": 1e-14,
    "random_forest_regression": 1e-12,
    "random_forest_classification": 1e-14,
    "extra_trees_regression": 1e-12,
    "gradient_boosting_regression": 1e-12,
    "gradient_boosting_classification": 1e-14,
    "gradient_boosting_binary": 1e-14,
    "hist_gradient_boosting_regression": 1e-12,
    "hist_gradient_boosting_missing": 1e-12,
    "hist_gradient_boosting_binary": 1e-14,
    "isolation_forest": 1e-14,
}
# Single precision has seven digits; the regressions' values are about 30.
ONNX = {
    "onnx_neural_network": 1e-5,
    "onnx_neural_network_classification": 1e-6,
    "onnx_linear_regression": 1e-5,
    "onnx_imputed_regression": 1e-5,
    "onnx_named_columns": 1e-5,
    "onnx_decision_tree_regression": 1e-5,
    "onnx_decision_tree_classification": 1e-6,
    "onnx_gradient_boosting_regression": 1e-5,
    "onnx_gradient_boosting_classification": 1e-6,
    "onnx_support_vector_regression": 1e-4,
    "onnx_naive_bayes": 1e-5,
    "onnx_k_means": 0.0,
    "onnx_random_forest_regression": 1e-5,
    "onnx_random_forest_classification": 1e-6,
    "onnx_logistic_regression": 1e-6,
    "onnx_isolation_forest": 1e-6,
}
# Each name stands for the engine that runs it: the first group is not compiled, the second both ways.
CASES: list[tuple[str, Engine, float]] = [
    *((name, "pypmml", allowed) for name, allowed in (PYPMML | TREES).items()),
    *((name, "trees", allowed) for name, allowed in TREES.items()),
    ("anomaly_detection", "trees", 1e-14),
    *((name, "onnxruntime", allowed) for name, allowed in ONNX.items()),
]


@pytest.mark.parametrize(("name", "engine", "allowed"), CASES, ids=lambda value: str(value))
def test_an_engine_agrees_with_the_estimator(name: str, engine: Engine, allowed: float) -> None:
    answers = samples.scorer(name, engine=engine).score(samples.asked(name))
    for output, expected in samples.answered(name).items():
        actual = answers[output] if output in answers else answers[f"predicted_{output}"]
        assert len(actual) == len(expected)
        assert np.max(np.abs(actual.astype(float) - expected.astype(float))) <= allowed


def test_clusters_are_those_of_the_estimator() -> None:
    answers = samples.scorer("k_means").score(samples.asked("k_means"))
    assert answers["cluster"].tolist() == [str(label) for label in samples.answered("k_means")["cluster"]]


@pytest.mark.parametrize("name", ["support_vector_classification", "rule_set"])
def test_classes_are_those_of_the_estimator(name: str) -> None:
    answers = samples.scorer(name).score(samples.asked(name))
    assert answers["predicted_state"].tolist() == samples.answered(name)["state"].tolist()


def test_a_row_on_a_split_takes_the_branch_the_estimator_takes() -> None:
    # Splits of a single-precision field are written with seven digits; read as doubles they lie beside the value.
    compiled = samples.scorer("isolation_forest", engine="trees")
    java = samples.scorer("isolation_forest", engine="pypmml")
    random = np.random.default_rng(3)
    splits = compiled.splits  # type: ignore[attr-defined]
    rows = {field.name: random.choice(splits[field.name], 500) for field in compiled.inputs}
    assert np.allclose(compiled.score(rows)["rawAnomalyScore"], java.score(rows)["rawAnomalyScore"], atol=1e-12)


@pytest.mark.parametrize("name", ["random_forest_regression", "hist_gradient_boosting_missing", "isolation_forest"])
def test_trees_are_compiled_when_both_engines_agree(name: str) -> None:
    description = inspect(samples.source(name), format="PMML")
    assert (description.engine, description.engine_reason) == (
        "trees",
        "Its trees are compiled and agree with pypmml on 100 made-up rows; no Java is needed.",
    )


def test_vendors_exporter_nyoka_is_read() -> None:
    description = inspect(samples.source("nyoka_isolation_forest"), format="PMML")
    assert _summary(description) == ("IsolationForest", "AnomalyDetectionModel", ["anomalyScore", "outlier"], "trees")


def test_other_classes_run_on_pypmml_and_say_why() -> None:
    description = inspect(samples.source("neural_network_regression"), format="PMML")
    assert (description.engine, description.engine_reason) == (
        "pypmml",
        "Runs on pypmml: the tree compiler does not cover it (it is no ensemble of trees).",
    )


def _summary(description: ModelDescription) -> tuple[str | None, str, list[str], str]:
    outputs = [field.name for field in description.outputs]
    return description.name, description.model_class, outputs, description.engine
