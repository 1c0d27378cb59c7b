"""RegressionModel as the last link of a chain: from the trees' sums to a number or to class probabilities."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

import numpy as np

from zementis.inference.expressions import NotCompilable
from zementis.inference.prediction import Prediction, Step, Values

if TYPE_CHECKING:
    from zementis.inference.scorer import Column


def compile_regression(model: Element, known: Collection[str]) -> Step:
    """Give the step of a RegressionModel over numeric fields. Raises NotCompilable."""
    tables = model.findall("RegressionTable")
    if not tables or model.find("LocalTransformations") is not None:
        raise NotCompilable("a regression with transformations of its own")
    sums = [_sum(table, known) for table in tables]
    method = model.get("normalizationMethod", "none")
    if model.get("functionName") == "regression":
        if len(sums) != 1 or method not in _LINKS:
            raise NotCompilable(f"a regression normalised by {method}")
        link = _LINKS[method]
        return Step(lambda values, targets, count: Prediction(value=link(sums[0](values, count))))
    classes = tuple(table.get("targetCategory", "") for table in tables)
    if method == "softmax":
        normalise = _softmax
    elif method == "logit" and len(classes) == 2:
        normalise = _logit
    elif method == "simplemax":
        normalise = _simplemax
    else:
        raise NotCompilable(f"a classification of {len(classes)} classes normalised by {method}")
    return Step(_classification(sums, normalise), classes)


def _classification(
    sums: Sequence[Callable[[Values, int], Column]], normalise: Callable[[Column], Column]
) -> Callable[[Values, Column, int], Prediction]:
    def run(values: Values, targets: Column, count: int) -> Prediction:
        probabilities = normalise(np.column_stack([each(values, count) for each in sums]))
        return Prediction(label=winners(probabilities), probabilities=probabilities)

    return run


def winners(probabilities: Column) -> Column:
    """Give the place of each row's largest share, the first of equals; -1 where there is no prediction."""
    unknown = np.isnan(probabilities).any(axis=1)
    return np.where(unknown, -1, np.argmax(np.where(np.isnan(probabilities), -1.0, probabilities), axis=1))


def _sum(table: Element, known: Collection[str]) -> Callable[[Values, int], Column]:
    intercept = float(table.get("intercept", "0"))
    terms: list[tuple[str, float, float]] = []
    for part in table:
        if part.tag == "Extension":
            continue
        if part.tag != "NumericPredictor" or part.get("name") not in known:
            raise NotCompilable(f"a {part.tag} in a regression")
        terms.append((part.get("name", ""), float(part.get("coefficient", "nan")), float(part.get("exponent", "1"))))

    def total(values: Values, count: int) -> Column:
        result = np.full(count, intercept)
        for name, coefficient, exponent in terms:
            column = values[name] if exponent == 1.0 else values[name] ** exponent
            result = result + coefficient * column
        return result

    return total


def _softmax(sums: Column) -> Column:
    # The largest is taken off first, so that no exponential overflows.
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares: Column = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _logit(sums: Column) -> Column:
    first = _sigmoid(sums[:, 0])
    return np.column_stack([first, 1.0 - first])


def _simplemax(sums: Column) -> Column:
    shares: Column = sums / sums.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(value: Any) -> Any:
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-value))


_LINKS: dict[str, Callable[[Any], Any]] = {
    "none": lambda value: value,
    "exp": np.exp,
    "logit": _sigmoid,
    "softmax": _sigmoid,
}
