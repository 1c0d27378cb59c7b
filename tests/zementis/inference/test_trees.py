"""The tree compiler: PMML's rules for trees, each against a hand-made file and against pypmml."""

from typing import Any

import numpy as np
import pytest

from tests.zementis.inference import pmml_files
from tests.zementis.inference.pmml_files import document, ensemble, schema, split, tree
from zementis.inference import InvalidModel, inspect, load

NAN = float("nan")
EDGES = [0.0, np.nextafter(1.0, 0.0), 1.0, np.nextafter(1.0, 2.0), 5.0]


def scores(file: bytes, a: list[float], b: list[float] | None = None, *, engine: Any = "trees") -> list[float]:
    """Give the compiled model's predictions."""
    rows = {"a": np.array(a), "b": np.array(b if b is not None else [0.0] * len(a))}
    answer: list[float] = load(file, format="PMML", engine=engine).score(rows)["predicted_y"].tolist()
    return answer


def refusal(file: bytes) -> str:
    """Give the reason why a file is not compiled."""
    with pytest.raises(InvalidModel) as error:
        load(file, format="PMML", engine="trees")
    return error.value.errors[0].removeprefix("The model's trees cannot be compiled: ")


def leaf(score: str, operator: str, value: str = "1", field: str = "a", more: str = "") -> str:
    """Give a leaf with a simple predicate."""
    predicate = f'<SimplePredicate field="{field}" operator="{operator}" value="{value}"/>'
    return f'<Node score="{score}" {more}>{predicate}</Node>'


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("lessThan", [1.0, 1.0, 2.0, 2.0, 2.0]),
        ("lessOrEqual", [1.0, 1.0, 1.0, 2.0, 2.0]),
        ("greaterThan", [2.0, 2.0, 2.0, 1.0, 1.0]),
        ("greaterOrEqual", [2.0, 2.0, 1.0, 1.0, 1.0]),
        ("equal", [2.0, 2.0, 1.0, 2.0, 2.0]),
        ("notEqual", [1.0, 1.0, 2.0, 1.0, 1.0]),
    ],
)
def test_each_operator_is_exact_at_the_split(operator: str, expected: list[float]) -> None:
    file = document(tree(f'<Node><True/>{leaf("1", operator)}<Node score="2"><True/></Node></Node>'))
    assert (scores(file, EDGES), scores(file, EDGES, engine="pypmml")) == (expected, expected)


def test_the_first_true_child_of_many_is_taken() -> None:
    children = leaf("1", "lessThan", "1") + leaf("2", "lessThan", "2") + leaf("3", "lessThan", "3", field="b")
    file = document(tree(f'<Node><True/>{children}<Node score="4"><True/></Node></Node>'))
    assert scores(file, [0.0, 1.5, 9.0, 9.0], [9.0, 9.0, 0.0, 9.0]) == [1.0, 2.0, 3.0, 4.0]


def test_the_last_prediction_stands_where_no_child_is_true() -> None:
    nodes = f'<Node score="7"><True/>{leaf("1", "lessThan")}</Node>'
    file = document(tree(nodes, attributes='noTrueChildStrategy="returnLastPrediction"'))
    assert scores(file, [0.0, 3.0]) == [1.0, 7.0]


def test_no_prediction_is_a_missing_value() -> None:
    file = document(tree(f'<Node score="7"><True/>{leaf("1", "lessThan")}</Node>'))
    assert np.array_equal(scores(file, [0.0, 3.0]), [1.0, NAN], equal_nan=True)


def test_a_single_leaf_is_a_tree() -> None:
    assert scores(document(tree('<Node score="2.5"><True/></Node>')), [0.0, 9.0]) == [2.5, 2.5]


@pytest.mark.parametrize(
    ("method", "expected"),
    [("sum", [11.0, 22.0]), ("average", [5.5, 11.0]), ("weightedAverage", [7.75, 15.5])],
)
def test_trees_are_combined(method: str, expected: list[float]) -> None:
    file = ensemble(
        method,
        tree(split("1", "2")),
        tree(split("10", "20")),
        weights=(1.0, 3.0),
        attributes='missingPredictionTreatment="returnMissing"',
    )
    assert scores(file, [0.0, 5.0]) == expected
    assert scores(file, [0.0, 5.0], engine="pypmml") == expected


def test_a_missing_value_takes_the_default_child() -> None:
    for default, expected in (("1", [1.0, 1.0, 2.0]), ("2", [2.0, 1.0, 2.0])):
        nodes = split("1", "2", attributes=f'defaultChild="{default}"')
        file = document(tree(nodes, attributes='missingValueStrategy="defaultChild"'))
        assert scores(file, [NAN, 0.0, 5.0]) == expected
        assert scores(file, [NAN, 0.0, 5.0], engine="pypmml") == expected


def test_a_missing_value_keeps_the_last_prediction() -> None:
    nodes = split("1", "2", attributes='score="9"')
    file = document(tree(nodes, attributes='missingValueStrategy="lastPrediction"'))
    assert scores(file, [NAN, 0.0, 5.0]) == [9.0, 1.0, 2.0]
    assert scores(file, [NAN, 0.0, 5.0], engine="pypmml") == [9.0, 1.0, 2.0]


def test_a_missing_value_is_replaced() -> None:
    mining = schema(attributes='missingValueReplacement="5"')
    file = document(tree(split("1", "2"), mining=mining))
    assert scores(file, [NAN, 0.0]) == [2.0, 1.0]
    assert scores(file, [NAN, 0.0], engine="pypmml") == [2.0, 1.0]


def test_targets_rescale() -> None:
    rescale = '<Targets><Target field="y" rescaleFactor="0.5" rescaleConstant="100"/></Targets>'
    model = f'<MiningModel functionName="regression">{schema()}{rescale}<Segmentation multipleModelMethod="sum">'
    file = document(f"{model}<Segment><True/>{tree(split('1', '2'))}</Segment></Segmentation></MiningModel>")
    assert scores(file, [0.0, 5.0]) == [100.5, 101.0]
    assert scores(file, [0.0, 5.0], engine="pypmml") == [100.5, 101.0]


def test_derived_fields_are_computed_before_the_trees() -> None:
    derived = (
        '<LocalTransformations><DerivedField name="d" optype="continuous" dataType="double"><Apply function="+">'
        '<FieldRef field="a"/><FieldRef field="b"/></Apply></DerivedField></LocalTransformations>'
    )
    file = document(
        f'<MiningModel functionName="regression">{schema()}{derived}<Segmentation multipleModelMethod="sum"><Segment>'
        f"<True/>{tree(split('1', '2', field='d'), mining=schema(('d',), target=None))}</Segment></Segmentation>"
        "</MiningModel>"
    )
    assert scores(file, [0.0, 0.75], [0.5, 0.75]) == [1.0, 2.0]
    assert scores(file, [0.0, 0.75], [0.5, 0.75], engine="pypmml") == [1.0, 2.0]


def test_votes_are_counted() -> None:
    leaves = (
        '<Node id="0"><True/><Node score="hot"><SimplePredicate field="a" operator="greaterThan" value="{at}"/></Node>'
        '<Node score="cold"><True/></Node></Node>'
    )
    mining = '<MiningSchema><MiningField name="a"/></MiningSchema>'
    segments = "".join(
        f'<Segment><True/><TreeModel functionName="classification">{mining}{leaves.format(at=at)}</TreeModel></Segment>'
        for at in (1, 2, 3)
    )
    output = (
        '<Output><OutputField name="state" feature="predictedValue" dataType="string" optype="categorical"/>'
        '<OutputField name="p" feature="probability" value="hot" dataType="double" optype="continuous"/></Output>'
    )
    values = '<Value value="cold"/><Value value="hot"/>'
    target = f'<DataField name="s" optype="categorical" dataType="string">{values}</DataField>'
    attributes = 'multipleModelMethod="majorityVote" missingPredictionTreatment="returnMissing"'
    file = document(
        f'<MiningModel functionName="classification">{schema(("a",), target="s")}{output}'
        f"<Segmentation {attributes}>{segments}</Segmentation></MiningModel>",
        more=target,
    )
    rows = {"a": np.array([0.0, 1.5, 2.5, 9.0])}
    for engine in ("trees", "pypmml"):
        answers = load(file, format="PMML", engine=engine).score(rows)
        assert answers["state"].tolist() == ["cold", "cold", "hot", "hot"]
        assert np.allclose(answers["p"], [0.0, 1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            '<Node><True/><Node score="1"><CompoundPredicate booleanOperator="or"/></Node></Node>',
            "a CompoundPredicate.",
        ),
        ('<Node><True/><Node score="1"><SimpleSetPredicate/></Node></Node>', "a SimpleSetPredicate."),
        (f"<Node><True/>{leaf('1', 'isMissing')}</Node>", "the test isMissing."),
        (f"<Node><True/>{leaf('1', 'equal', 'x')}</Node>", "a test of 'a' without a number."),
        (f"<Node><True/>{leaf('1', 'equal', field='z')}</Node>", "a test of 'z', which is no number."),
        (leaf("1", "equal"), "a tree without a root that is always true."),
    ],
)
def test_what_is_not_covered_is_told(nodes: str, reason: str) -> None:
    assert refusal(document(tree(nodes))) == reason


def test_an_ensemble_that_skips_trees_without_a_prediction_is_not_compiled() -> None:
    trees = [tree(f"<Node><True/>{leaf('1', 'lessThan')}</Node>"), tree(split("1", "2"))]
    assert refusal(ensemble("sum", *trees)) == "a tree that may give no prediction."


def test_a_field_with_rules_for_invalid_values_is_not_compiled() -> None:
    interval = '<Interval closure="closedClosed" leftMargin="0"/>'
    bounded = f'<DataField name="c" optype="continuous" dataType="double">{interval}</DataField>'
    file = document(tree(split("1", "2"), mining=schema(("a", "c"))), more=bounded)
    assert refusal(file) == "the input 'c' has rules for invalid values or outliers."


def test_a_model_with_a_node_the_compiler_cannot_follow_stays_with_pypmml() -> None:
    nodes = split("1", "2", attributes='defaultChild="9"')
    description = inspect(document(tree(nodes, attributes='missingValueStrategy="defaultChild"')), format="PMML")
    assert (description.engine, description.engine_reason) == (
        "pypmml",
        "Runs on pypmml: the tree compiler does not cover it (a node without a default child).",
    )


def test_a_model_on_which_the_engines_differ_stays_with_pypmml() -> None:
    # The logarithm of a negative number is no value, and a comparison with none is none in PMML; pypmml says false.
    output = (
        '<Output><OutputField name="v" feature="predictedValue" dataType="double" optype="continuous"/>'
        '<OutputField name="high" feature="transformedValue" dataType="boolean" optype="categorical">'
        '<Apply function="greaterThan"><Apply function="ln"><FieldRef field="v"/></Apply>'
        '<Constant dataType="double">0</Constant></Apply></OutputField></Output>'
    )
    description = inspect(document(tree(split("-2", "2"), output=output)), format="PMML")
    assert description.engine == "pypmml"
    assert description.engine_reason.startswith(
        "Runs on pypmml: its trees can be compiled, but output 'high' is None against False in row "
    )


def test_rows_are_scored_in_chunks_without_a_seam() -> None:
    file = document(tree(split("1", "2")))
    a = np.tile([0.0, 5.0], 70_000)
    answer = load(file, format="PMML", engine="trees").score({"a": a, "b": a})["predicted_y"]
    assert np.array_equal(answer, np.where(a <= 1.0, 1.0, 2.0))


def test_no_rows_give_empty_columns() -> None:
    empty: np.ndarray[Any, Any] = np.empty(0)
    for engine in ("trees", "pypmml"):
        scorer = load(pmml_files.document(tree(split("1", "2"))), format="PMML", engine=engine)
        assert scorer.score({"a": empty, "b": empty})["predicted_y"].tolist() == []
