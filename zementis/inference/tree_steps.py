"""From one tree, or trees combined by a method, to a step of a compiled model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

import numpy as np

from zementis.inference.expressions import NotCompilable
from zementis.inference.prediction import Prediction, Step, Values
from zementis.inference.regression import winners
from zementis.inference.tree_nodes import Forest, scores

if TYPE_CHECKING:
    from zementis.inference.scorer import Column

SINGLE = "single"
_MEANS = frozenset({"average", "weightedAverage"})
_SUMS = frozenset({"sum", "weightedSum", "x-weightedSum"})
_VOTES = frozenset({"majorityVote", "weightedMajorityVote"})


@dataclass(frozen=True)
class Trees:
    """Trees to be combined: each TreeModel with its weight, and PMML's multipleModelMethod, or SINGLE."""

    parts: Sequence[tuple[Element, float]]
    method: str
    returns_missing: bool
    """True where one tree without a prediction leaves the whole without one."""

    @property
    def weighted(self) -> bool:
        """Tell whether the weights count."""
        return self.method.removeprefix("x-").startswith("weighted")

    @property
    def divisor(self) -> float:
        """Give what a sum over the trees is to be divided by for their mean."""
        return sum(weight for _, weight in self.parts) if self.weighted else float(len(self.parts))


def regression_step(trees: Trees, forest: Forest, *, missing_possible: bool) -> Step:
    """Plant the trees on one target, which adds their leaves' scores up. Raises NotCompilable."""
    if trees.method not in _MEANS | _SUMS | {SINGLE}:
        raise NotCompilable(f"the combination {trees.method} of trees")
    target = forest.add_target()
    for tree, weight in trees.parts:
        factor = weight if trees.weighted else 1.0

        def leaf(node: Element | None, factor: float = factor) -> float:
            score = _score(node, trees)
            return np.nan if score is None else float(score) * factor

        forest.add_tree(tree, target=target, leaf=leaf, missing_possible=missing_possible)
    divisor = trees.divisor if trees.method in _MEANS else 1.0
    return Step(lambda values, targets, count: Prediction(value=targets[:, target] / divisor))


def classification_step(trees: Trees, forest: Forest, *, classes: tuple[str, ...], missing_possible: bool) -> Step:
    """Have each tree tell its leaf, and look the leaves' class shares (or votes) up in one table.

    The operator's leaf holds one number, so the alternative would be each tree once per class.
    Raises NotCompilable.
    """
    votes = trees.method in _VOTES
    if not votes and trees.method not in _MEANS | {SINGLE}:
        raise NotCompilable(f"the combination {trees.method} of trees")
    table: list[list[float]] = []
    labels: list[int] = []
    columns: list[int] = []
    for tree, weight in trees.parts:
        factor = weight if trees.weighted else 1.0

        def leaf(node: Element | None, factor: float = factor) -> float:
            score = _score(node, trees)
            if score is not None and score not in classes:
                raise NotCompilable("a class the data dictionary does not list")
            if votes and score is not None:
                shares = [float(label == score) for label in classes]
            else:
                shares = scores(node if score is not None else None, classes)
            table.append([share * factor for share in shares])
            labels.append(classes.index(score) if score is not None else -1)
            return float(len(table) - 1)

        columns.append(forest.add_target())
        forest.add_tree(tree, target=columns[-1], leaf=leaf, missing_possible=missing_possible)
    share_of, label_of = np.asarray(table), np.asarray(labels)

    def run(values: Values, targets: Column, count: int) -> Prediction:
        leaves = targets[:, columns].astype(np.int64)
        sums = np.zeros((count, len(classes)))
        for place in range(len(columns)):
            sums += share_of[leaves[:, place]]
        if trees.method == SINGLE:
            # The leaf's own score, which need not be its most frequent class.
            return Prediction(label=label_of[leaves[:, 0]], probabilities=sums)
        probabilities = sums / trees.divisor
        return Prediction(label=winners(probabilities), probabilities=probabilities)

    return Step(run, classes)


def _score(node: Element | None, trees: Trees) -> str | None:
    score = node.get("score") if node is not None else None
    if score is None and not trees.returns_missing:
        raise NotCompilable("a tree that may give no prediction")
    return score
