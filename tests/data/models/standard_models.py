"""Models that no exporter at hand writes, after the PMML 4.4 standard, with the answers of what they were made from."""

from __future__ import annotations

import numpy as np

from tests.data.models.made_up import COLUMNS, FOLDER, ROWS_ASKED, SEED, TRAINING, keep, state_of


def _document(title: str, names: list[str], model: str, target: str = "") -> str:
    fields = "\n".join(f'<DataField name="{name}" optype="continuous" dataType="double"/>' for name in names)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4">\n'
        f'<Header description="{title}"/>\n<DataDictionary>\n{fields}\n{target}</DataDictionary>\n{model}\n</PMML>\n'
    )


def general_regression() -> None:
    """Write a GeneralRegressionModel with the coefficients of a Poisson regression, whose link is the logarithm."""
    from sklearn.linear_model import PoissonRegressor

    names = ["vibration", "current"]
    model = PoissonRegressor(alpha=0.01).fit(TRAINING[names], np.rint(TRAINING["current"]))
    parameters = [("p0", float(model.intercept_)), *((f"p{n}", float(c)) for n, c in enumerate(model.coef_, start=1))]
    body = "\n".join(
        [
            '<GeneralRegressionModel modelName="Counts" functionName="regression" modelType="generalizedLinear"'
            ' linkFunction="log">',
            "<MiningSchema>",
            *(f'<MiningField name="{name}"/>' for name in names),
            '<MiningField name="count" usageType="target"/>',
            "</MiningSchema>",
            '<Output><OutputField name="count" feature="predictedValue" dataType="double" optype="continuous"/>',
            "</Output>",
            "<ParameterList>",
            *(f'<Parameter name="{name}" label="{name}"/>' for name, _ in parameters),
            "</ParameterList>",
            "<CovariateList>",
            *(f'<Predictor name="{name}"/>' for name in names),
            "</CovariateList>",
            "<PPMatrix>",
            *(
                f'<PPCell value="1" predictorName="{name}" parameterName="p{n}"/>'
                for n, name in enumerate(names, start=1)
            ),
            "</PPMatrix>",
            "<ParamMatrix>",
            *(f'<PCell parameterName="{name}" beta="{value!r}" df="1"/>' for name, value in parameters),
            "</ParamMatrix>",
            "</GeneralRegressionModel>",
        ]
    )
    target = '<DataField name="count" optype="continuous" dataType="double"/>\n'
    (FOLDER / "general_regression.pmml").write_text(_document("Counts", names, body, target))
    keep("general_regression", ROWS_ASKED[names], {"count": model.predict(ROWS_ASKED[names])})


def rule_set() -> None:
    """Write a RuleSetModel with a rule for each leaf of a decision tree."""
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(max_depth=4, random_state=SEED).fit(TRAINING, state_of(TRAINING))
    tree = model.tree_
    rules: list[str] = []

    def walk(node: int, tests: list[str]) -> None:
        if tree.children_left[node] == -1:
            score = model.classes_[int(np.argmax(tree.value[node]))]
            rules.append(
                f'<SimpleRule id="{len(rules) + 1}" score="{score}" confidence="1">'
                f'<CompoundPredicate booleanOperator="and">{"".join(tests)}</CompoundPredicate></SimpleRule>'
            )
            return
        field, value = COLUMNS[tree.feature[node]], float(tree.threshold[node])
        for child, operator in ((tree.children_left[node], "lessOrEqual"), (tree.children_right[node], "greaterThan")):
            walk(child, [*tests, f'<SimplePredicate field="{field}" operator="{operator}" value="{value!r}"/>'])

    walk(0, [])
    body = "\n".join(
        [
            '<RuleSetModel modelName="States" functionName="classification" algorithmName="decision tree">',
            "<MiningSchema>",
            *(f'<MiningField name="{name}"/>' for name in COLUMNS),
            '<MiningField name="state" usageType="target"/>',
            "</MiningSchema>",
            '<RuleSet defaultScore="idle"><RuleSelectionMethod criterion="firstHit"/>',
            *rules,
            "</RuleSet>",
            "</RuleSetModel>",
        ]
    )
    values = "".join(f'<Value value="{label}"/>' for label in model.classes_)
    target = f'<DataField name="state" optype="categorical" dataType="string">{values}</DataField>\n'
    (FOLDER / "rule_set.pmml").write_text(_document("States", COLUMNS, body, target))
    # The estimator compares in single precision.
    asked = ROWS_ASKED.astype(np.float32).astype(np.float64)
    keep("rule_set", asked, {"state": model.predict(asked).astype(str)})


def anomaly_detection() -> None:
    """Wrap the exported isolation forest, whose mean path lengths are right, into an AnomalyDetectionModel."""
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(n_estimators=30, max_samples=64, random_state=SEED).fit(TRAINING)
    head, _, rest = (FOLDER / "isolation_forest.pmml").read_text().partition("<MiningModel")
    schema = rest[rest.index("<MiningSchema>") : rest.index("</MiningSchema>") + len("</MiningSchema>")]
    trees = rest[rest.index("<Segmentation") : rest.index("</MiningModel>")]
    (FOLDER / "anomaly_detection.pmml").write_text(
        f'{head}<AnomalyDetectionModel functionName="regression" algorithmType="iforest" sampleDataSize="64">\n'
        f'{schema}\n<Output>\n<OutputField name="anomalyScore" optype="continuous" dataType="double"'
        ' feature="predictedValue"/>\n</Output>\n<MiningModel functionName="regression">\n'
        f'{schema}\n<Output>\n<OutputField name="length" optype="continuous" dataType="double"'
        f' feature="predictedValue"/>\n</Output>\n{trees}</MiningModel>\n</AnomalyDetectionModel>\n</PMML>\n'
    )
    keep("anomaly_detection", ROWS_ASKED, {"anomalyScore": -model.score_samples(ROWS_ASKED)})


def scorecard() -> None:
    """Note the answers of the hand-written scorecard."""
    asked = ROWS_ASKED[["temperature", "current"]]
    warmth = np.where(asked["temperature"] <= 50.0, 30.0, np.where(asked["temperature"] <= 70.0, 20.0, 5.0))
    draw = np.where(asked["current"] < 5.0, 12.5, 2.5)
    keep("scorecard", asked, {"score": 10.0 + warmth + draw})
