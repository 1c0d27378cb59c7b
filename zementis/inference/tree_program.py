"""Compile a PMML model made of numeric trees into one forest and NumPy steps around it.

Covered: TreeModel; MiningModel over trees (average, sum, weighted, minimum, maximum, votes) for regression and
classification; chains of those ending in a RegressionModel, as exporters write gradient boosting; DerivedFields,
Targets and Output expressions over numbers. Anything else raises NotCompilable with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

import numpy as np

from zementis.inference import regression
from zementis.inference.expressions import Expression, NotCompilable, compile_expression, expression_of
from zementis.inference.pmml import MODEL_CLASSES, Document
from zementis.inference.prediction import Output, Prediction, Step, Values
from zementis.inference.tree_nodes import Forest
from zementis.inference.tree_steps import SINGLE, Trees, classification_step, regression_step

if TYPE_CHECKING:
    from zementis.inference.scorer import Column

_NUMERIC = frozenset({"DOUBLE", "FLOAT", "INTEGER"})


@dataclass
class Program:
    """A compiled model: fill the forest's columns, run it, then take the steps."""

    forest: Forest
    replacements: dict[str, float] = field(default_factory=dict)
    derived: list[tuple[str, str, Expression]] = field(default_factory=list)
    """Fields computed before the trees: name, type, expression."""
    step: Step = field(default_factory=lambda: Step(lambda values, targets, count: Prediction()))
    outputs: list[tuple[str, Output]] = field(default_factory=list)


def compile_document(document: Document) -> Program:
    """Give the program of a PMML file. Raises NotCompilable."""
    return _Compiler(document).compile()


class _Compiler:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.types: dict[str, str] = {}
        self.known: set[str] = set()
        self.data_fields = {part.get("name", ""): part for part in document.root.findall("DataDictionary/DataField")}
        self.program = Program(Forest(self.types))
        self.missing_possible = False

    def compile(self) -> Program:
        model = self.document.model
        if next(model.iter("TreeModel"), None) is None:
            raise NotCompilable("it is no ensemble of trees")
        self._inputs(model)
        self._derived(model)
        step = self._model(model, top=True)
        self.program.step = step
        self._outputs(model, step)
        return self.program

    def _inputs(self, model: Element) -> None:
        for mining in model.findall("MiningSchema/MiningField"):
            name = mining.get("name", "")
            if mining.get("usageType", "active") != "active":
                continue
            declared = self.data_fields[name]
            kind = declared.get("dataType", "double").upper()
            if kind not in _NUMERIC:
                raise NotCompilable(f"the input '{name}' is no number")
            treatment = mining.get("invalidValueTreatment", "returnInvalid")
            bounded = declared.find("Interval") is not None or declared.find("Value") is not None
            if mining.get("outliers", "asIs") != "asIs" or (bounded and treatment != "asIs"):
                raise NotCompilable(f"the input '{name}' has rules for invalid values or outliers")
            replacement = mining.get("missingValueReplacement")
            if replacement is None:
                self.missing_possible = self.missing_possible or self.document.accepts_missing
            else:
                try:
                    self.program.replacements[name] = float(replacement)
                except ValueError as error:
                    raise NotCompilable(f"the replacement of '{name}' is no number") from error
            self.types[name] = kind
            self.known.add(name)

    def _derived(self, model: Element) -> None:
        parents = [self.document.root.find("TransformationDictionary"), model.find("LocalTransformations")]
        for parent in parents:
            for derived in parent if parent is not None else ():
                if derived.tag != "DerivedField":
                    raise NotCompilable(f"the transformation {derived.tag}")
                name, kind = derived.get("name", ""), derived.get("dataType", "double").upper()
                if kind not in _NUMERIC:
                    raise NotCompilable(f"the derived field '{name}' is no number")
                expression = compile_expression(expression_of(derived), self.known)
                self.program.derived.append((name, kind, expression))
                self.types[name] = kind
                self.known.add(name)

    def _model(self, model: Element, *, top: bool = False) -> Step:
        if not top:
            self._check_nested(model)
        if model.tag == "TreeModel":
            step = self._trees(model, [(model, 1.0)], method=SINGLE)
        elif model.tag == "MiningModel":
            step = self._mining(model)
        elif model.tag == "AnomalyDetectionModel":
            step = self._isolation(model)
        elif model.tag == "RegressionModel" and not top:
            step = regression.compile_regression(model, self.known)
        else:
            raise NotCompilable(f"a part of class {model.tag}")
        return _rescaled(model, step)

    def _check_nested(self, model: Element) -> None:
        if model.find("LocalTransformations") is not None:
            raise NotCompilable("a part with transformations of its own")
        for mining in model.findall("MiningSchema/MiningField"):
            if mining.get("missingValueReplacement") is not None or mining.get("outliers", "asIs") != "asIs":
                raise NotCompilable("a part with its own rules for missing values or outliers")

    def _mining(self, model: Element) -> Step:
        segmentation = model.find("Segmentation")
        if segmentation is None:
            raise NotCompilable("a mining model without segments")
        method = segmentation.get("multipleModelMethod", "")
        parts: list[tuple[Element, float]] = []
        for segment in segmentation.findall("Segment"):
            if segment.find("True") is None:
                raise NotCompilable("a segment with a condition")
            models = [child for child in segment if child.tag in MODEL_CLASSES]
            if len(models) != 1:
                raise NotCompilable("a segment without a model")
            parts.append((models[0], float(segment.get("weight", "1"))))
        if not parts:
            raise NotCompilable("a mining model without segments")
        if method == "modelChain":
            return self._chain([part for part, _ in parts])
        if any(part.tag != "TreeModel" for part, _ in parts):
            raise NotCompilable("an ensemble of something else than trees")
        for part, _ in parts:
            self._check_nested(part)
        return self._trees(model, parts, method=method)

    def _isolation(self, model: Element) -> Step:
        """Turn an isolation forest's mean path length into PMML's anomaly score, 2^(-length / expected length)."""
        size = float(model.get("sampleDataSize", "0"))
        if model.get("algorithmType") != "iforest" or size < 2:
            raise NotCompilable(f"an anomaly detection by {model.get('algorithmType')}")
        forests = [child for child in model if child.tag in MODEL_CLASSES]
        if len(forests) != 1:
            raise NotCompilable("an anomaly detection without its model")
        lengths = self._model(forests[0])
        # Expected length of an unsuccessful search in a binary tree of that many samples (Liu and others, 2008).
        expected = 2.0 * (np.log(size - 1.0) + np.euler_gamma) - 2.0 * (size - 1.0) / size

        def run(values: Values, targets: Column, count: int) -> Prediction:
            length = lengths.run(values, targets, count).value
            assert length is not None  # noqa: S101  # a regression step
            return Prediction(value=np.power(2.0, -length / expected))

        return Step(run)

    def _chain(self, models: Sequence[Element]) -> Step:
        steps: list[tuple[Step, list[tuple[str, Output]]]] = []
        for model in models:
            step = self._model(model)
            last = model is models[-1]
            named = [] if last else [self._numeric_output(part, step) for part in model.findall("Output/OutputField")]
            steps.append((step, named))
            self.known.update(name for name, _ in named)

        def run(values: Values, targets: Column, count: int) -> Prediction:
            prediction = Prediction()
            for step, named in steps:
                prediction = step.run(values, targets, count)
                for name, output in named:
                    values[name] = output(values, prediction, count)
            return prediction

        return Step(run, steps[-1][0].classes)

    def _numeric_output(self, output: Element, step: Step) -> tuple[str, Output]:
        if output.get("feature", "predictedValue") == "predictedValue" and step.classes:
            raise NotCompilable("a chain that passes a class on")
        return self._output(output, step)

    def _trees(self, model: Element, parts: Sequence[tuple[Element, float]], *, method: str) -> Step:
        segmentation = model.find("Segmentation")
        treatment = segmentation.get("missingPredictionTreatment", "continue") if segmentation is not None else ""
        trees = Trees(parts, method, returns_missing=method == SINGLE or treatment == "returnMissing")
        forest = self.program.forest
        if model.get("functionName") == "regression":
            return regression_step(trees, forest, missing_possible=self.missing_possible)
        if model.get("functionName") == "classification":
            classes = self._target_classes()
            return classification_step(trees, forest, classes=classes, missing_possible=self.missing_possible)
        raise NotCompilable(f"the mining function {model.get('functionName')}")

    def _target_classes(self) -> tuple[str, ...]:
        model = self.document.model
        for mining in model.findall("MiningSchema/MiningField"):
            if mining.get("usageType") in {"target", "predicted"}:
                declared = self.data_fields.get(mining.get("name", ""))
                values = declared.findall("Value") if declared is not None else []
                return tuple(value.get("value", "") for value in values)
        return ()

    def _outputs(self, model: Element, step: Step) -> None:
        declared = list(self.document.output_elements)
        if not declared:
            target = self.document.target
            if step.classes or target is None:
                raise NotCompilable("it leaves its outputs to the engine")
            self.program.outputs.append((f"predicted_{target}", _predicted_value))
            return
        for output in declared:
            name, function = self._output(output, step)
            self.program.outputs.append((name, function))
            if not (step.classes and output.get("feature", "predictedValue") == "predictedValue"):
                self.known.add(name)

    def _output(self, output: Element, step: Step) -> tuple[str, Output]:
        name, feature = output.get("name", ""), output.get("feature", "predictedValue")
        if output.get("segmentId") is not None:
            raise NotCompilable(f"the output '{name}' of a segment")
        classes = step.classes
        if feature == "predictedValue":
            return name, _label(classes) if classes else _predicted_value
        if feature == "probability" and output.get("value") in classes:
            place = classes.index(output.get("value", ""))
            return name, lambda values, prediction, count: _probability(prediction, place)
        if feature in {"transformedValue", "decision"}:
            if output.get("dataType", "double") == "string":
                raise NotCompilable(f"the output '{name}' is text")
            expression = compile_expression(expression_of(output), self.known)
            return name, lambda values, prediction, count: expression(values, count)
        raise NotCompilable(f"the output '{name}' ({feature})")


def _predicted_value(values: Values, prediction: Prediction, count: int) -> Column:
    assert prediction.value is not None  # noqa: S101  # a regression step
    return prediction.value


def _probability(prediction: Prediction, place: int) -> Column:
    assert prediction.probabilities is not None  # noqa: S101  # a classification step
    return prediction.probabilities[:, place]


def _label(classes: Sequence[str]) -> Output:
    names = np.array([*classes, None], dtype=object)
    return lambda values, prediction, count: names[prediction.label]


def _rescaled(model: Element, step: Step) -> Step:
    targets = model.findall("Targets/Target")
    if not targets:
        return step
    if len(targets) != 1 or step.classes:
        raise NotCompilable("targets of several fields or of classes")
    target = targets[0]
    if (
        any(target.get(name) is not None for name in ("castInteger", "min", "max"))
        or target.find("TargetValue") is not None
    ):
        raise NotCompilable("a target with bounds or values")
    factor, constant = float(target.get("rescaleFactor", "1")), float(target.get("rescaleConstant", "0"))

    def run(values: Values, targets: Column, count: int) -> Prediction:
        prediction = step.run(values, targets, count)
        assert prediction.value is not None  # noqa: S101  # a regression step
        return Prediction(value=prediction.value * factor + constant)

    return Step(run)
