"""PMML trees as flat arrays: every node a test ``x <= split`` (or ``x == split``), every leaf one number.

A PMML node may have any number of children, tried in order; it becomes a chain of two-way tests. Numbers are compared
in double precision; a field declared ``float`` holds single-precision values, so its splits are rounded likewise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

import numpy as np

from zementis.inference.expressions import NotCompilable
from zementis.inference.pmml import single_precision

LESS_OR_EQUAL, EQUAL = 0, 4
_MISSING_IGNORED = frozenset({"none", "nullPrediction"})
# Each PMML operator: the kind of test, whether it is the opposite, and whether it stops short of the value itself.
_OPERATORS = {
    "lessOrEqual": (LESS_OR_EQUAL, False, False),
    "greaterThan": (LESS_OR_EQUAL, True, False),
    "lessThan": (LESS_OR_EQUAL, False, True),
    "greaterOrEqual": (LESS_OR_EQUAL, True, True),
    "equal": (EQUAL, False, False),
    "notEqual": (EQUAL, True, False),
}


class Test(NamedTuple):
    """``x <= split`` or ``x == split`` on a feature, or its opposite."""

    feature: int
    mode: int
    split: float
    negated: bool

    def opposes(self, other: Test) -> bool:
        """Tell whether exactly one of the two holds, whatever the value."""
        return (self.feature, self.mode, self.split) == (other.feature, other.mode, other.split) and (
            self.negated != other.negated
        )


@dataclass
class Forest:
    """Trees of one `TreeEnsemble` operator, in the operator's own terms."""

    feature_types: Mapping[str, str]
    """PMML data type of every field a test may use."""
    features: dict[str, int] = field(default_factory=dict)
    """Column of each field that is used."""
    roots: list[int] = field(default_factory=list)
    node_features: list[int] = field(default_factory=list)
    node_modes: list[int] = field(default_factory=list)
    node_splits: list[float] = field(default_factory=list)
    node_missing_true: list[int] = field(default_factory=list)
    node_true: list[int] = field(default_factory=list)
    node_false: list[int] = field(default_factory=list)
    node_true_leaf: list[int] = field(default_factory=list)
    node_false_leaf: list[int] = field(default_factory=list)
    leaf_targets: list[int] = field(default_factory=list)
    leaf_weights: list[float] = field(default_factory=list)
    targets: int = 0

    def add_target(self) -> int:
        """Give the place of a new column of the operator's answer."""
        self.targets += 1
        return self.targets - 1

    def add_tree(
        self, tree: Element, *, target: int, leaf: Callable[[Element | None], float], missing_possible: bool
    ) -> None:
        """Add a TreeModel whose leaves add ``leaf(node)`` to ``target``; ``leaf(None)`` is no prediction.

        Raises NotCompilable.
        """
        _Planting(self, tree, target, leaf, missing_possible).plant()

    def splits(self) -> dict[str, list[float]]:
        """Give the splits by field."""
        found: dict[str, set[float]] = {name: set() for name in self.features}
        names = list(self.features)
        for feature, split in zip(self.node_features, self.node_splits, strict=True):
            if np.isfinite(split):
                found[names[feature]].add(split)
        return {name: sorted(values) for name, values in found.items()}


# Where a subtree's top is to be noted: a node and its branch, or None for the root of the tree.
_Hole = tuple[int, bool] | None


class _Planting:
    """Adds one TreeModel to a forest. Iterative, since a tree may be deeper than Python's stack."""

    def __init__(
        self,
        forest: Forest,
        tree: Element,
        target: int,
        leaf: Callable[[Element | None], float],
        missing_possible: bool,
    ) -> None:
        self.forest = forest
        self.tree = tree
        self.target = target
        self.leaf = leaf
        self.missing = tree.get("missingValueStrategy", "none") if missing_possible else "none"
        self.returns_last = tree.get("noTrueChildStrategy", "returnNullPrediction") == "returnLastPrediction"
        self.work: list[tuple[Element, _Hole]] = []

    def plant(self) -> None:
        if self.missing not in _MISSING_IGNORED | {"defaultChild", "lastPrediction"}:
            raise NotCompilable(f"the missing-value strategy {self.missing}")
        if self.tree.find("LocalTransformations") is not None or self.tree.find("Targets") is not None:
            raise NotCompilable("a tree with transformations of its own")
        top = self.tree.find("Node")
        if top is None or top.find("True") is None:
            raise NotCompilable("a tree without a root that is always true")
        self.work.append((top, None))
        while self.work:
            self._node(*self.work.pop())

    def _node(self, node: Element, hole: _Hole) -> None:
        if node.find("EmbeddedModel") is not None or node.find("Regression") is not None:
            raise NotCompilable("a model inside a tree's node")
        children = node.findall("Node")
        if not children:
            self._add_leaf(node, hole)
            return
        tests = [_test(child, self.forest) for child in children]
        guards = self._missing_branches(node, children, tests)
        guarded: set[int] = set()
        for place, (child, test) in enumerate(zip(children, tests, strict=True)):
            previous = tests[place - 1] if place else None
            if test is False:
                continue
            if test is True or (isinstance(previous, Test) and test.opposes(previous)):
                self.work.append((child, hole))
                return
            if guards == "lastPrediction" and test.feature not in guarded:
                guarded.add(test.feature)
                # No number is above infinity: only a missing value fails this test.
                guard = self._add_node(
                    Test(test.feature, LESS_OR_EQUAL, math.inf, negated=False), hole, missing_true=False
                )
                self._add_leaf(node, (guard, False))
                hole = (guard, True)
            takes_missing = guards == "defaultChild" and child.get("id") == node.get("defaultChild")
            index = self._add_node(test, hole, missing_true=takes_missing != test.negated if guards else False)
            self.work.append((child, (index, not test.negated)))
            hole = (index, test.negated)
        self._add_leaf(node if self.returns_last else None, hole)

    def _missing_branches(self, node: Element, children: list[Element], tests: list[Test | bool]) -> str:
        """Give the strategy to be followed at this node, empty where no value can be missing."""
        if self.missing in _MISSING_IGNORED:
            return ""
        used = {test.feature for test in tests if isinstance(test, Test)}
        if self.missing == "defaultChild" and used:
            if node.get("defaultChild") not in {child.get("id") for child in children}:
                raise NotCompilable("a node without a default child")
            # The first unknown test decides in PMML; a chain of tests on one field is unknown as a whole.
            if len(used) > 1:
                raise NotCompilable("a default child beside tests of several fields")
        return self.missing

    def _add_node(self, test: Test, hole: _Hole, *, missing_true: bool) -> int:
        forest = self.forest
        index = len(forest.node_features)
        forest.node_features.append(test.feature)
        forest.node_modes.append(test.mode)
        forest.node_splits.append(test.split)
        forest.node_missing_true.append(int(missing_true))
        for column in (forest.node_true, forest.node_false, forest.node_true_leaf, forest.node_false_leaf):
            column.append(-1)
        self._fill(hole, index, leaf=False)
        return index

    def _add_leaf(self, node: Element | None, hole: _Hole) -> None:
        forest = self.forest
        index = len(forest.leaf_weights)
        forest.leaf_targets.append(self.target)
        forest.leaf_weights.append(self.leaf(node))
        if hole is not None:
            self._fill(hole, index, leaf=True)
            return
        # A tree of one leaf: the operator wants a node at the root, so both its branches lead there.
        if not forest.features:
            forest.features[next(iter(forest.feature_types))] = 0
        root = self._add_node(Test(0, LESS_OR_EQUAL, 0.0, negated=False), None, missing_true=False)
        self._fill((root, True), index, leaf=True)
        forest.leaf_targets.append(self.target)
        forest.leaf_weights.append(forest.leaf_weights[index])
        self._fill((root, False), index + 1, leaf=True)

    def _fill(self, hole: _Hole, index: int, *, leaf: bool) -> None:
        forest = self.forest
        if hole is None:
            forest.roots.append(index)
            return
        node, branch = hole
        targets, flags = (
            (forest.node_true, forest.node_true_leaf) if branch else (forest.node_false, forest.node_false_leaf)
        )
        targets[node] = index
        flags[node] = int(leaf)


def _test(node: Element, forest: Forest) -> Test | bool:
    """Give a node's predicate: a test, or what it always is. Raises NotCompilable."""
    for child in node:
        if child.tag == "True":
            return True
        if child.tag == "False":
            return False
        if child.tag == "SimplePredicate":
            return _simple(child, forest)
        if child.tag in {"CompoundPredicate", "SimpleSetPredicate"}:
            raise NotCompilable(f"a {child.tag}")
    raise NotCompilable("a node without a predicate")


def _simple(predicate: Element, forest: Forest) -> Test:
    name, operator = predicate.get("field", ""), predicate.get("operator", "")
    kind = forest.feature_types.get(name)
    if kind is None:
        raise NotCompilable(f"a test of '{name}', which is no number")
    try:
        split = float(predicate.get("value", ""))
    except ValueError as error:
        raise NotCompilable(f"a test of '{name}' without a number") from error
    if operator not in _OPERATORS:
        raise NotCompilable(f"the test {operator}")
    if kind == "FLOAT":
        split = single_precision(split)
    mode, negated, below = _OPERATORS[operator]
    # The operator's fast path knows one kind of test, so "less than" is "at most the next number below".
    split = math.nextafter(split, -math.inf) if below else split
    return Test(forest.features.setdefault(name, len(forest.features)), mode, split, negated)


def scores(node: Element | None, classes: Iterable[str]) -> list[float]:
    """Give a classification node's probability of each class; NaN for all where there is no prediction.

    Raises NotCompilable where the node has no distribution to take them from.
    """
    labels = list(classes)
    if node is None:
        return [np.nan] * len(labels)
    parts = node.findall("ScoreDistribution")
    if not parts:
        raise NotCompilable("a leaf without class probabilities")
    if all(part.get("probability") is not None for part in parts):
        shares = {part.get("value", ""): float(part.get("probability", "nan")) for part in parts}
    else:
        counts = {part.get("value", ""): float(part.get("recordCount", "nan")) for part in parts}
        total = sum(counts.values())
        if not total > 0:
            raise NotCompilable("a leaf without records")
        shares = {label: count / total for label, count in counts.items()}
    if not set(shares) <= set(labels):
        raise NotCompilable("a class the data dictionary does not list")
    return [shares.get(label, 0.0) for label in labels]
