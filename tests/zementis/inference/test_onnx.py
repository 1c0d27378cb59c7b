"""ONNX files: how tensors become columns, and what is refused."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, NodeProto
from onnx.helper import make_node

from tests.zementis.inference import onnx_files, samples
from tests.zementis.inference.onnx_files import BOOL, DOUBLE, FLOAT, INT64, STRING, model, row_sums
from zementis.inference import InvalidModel, Scorer, ScoringError, load, onnx


def loaded(made: ModelProto) -> Scorer:
    """Load a made-up model."""
    return load(made.SerializeToString(), format="ONNX")


def refusal(made: ModelProto) -> str:
    """Give the reason a made-up model is refused with."""
    with pytest.raises(InvalidModel) as error:
        loaded(made)
    return error.value.errors[1]


def inputs(made: ModelProto) -> list[tuple[str, str]]:
    """Give names and types of a model's inputs."""
    return [(field.name, field.type) for field in loaded(made).inputs]


def test_a_matrix_without_names_is_numbered() -> None:
    assert inputs(row_sums()) == [("x[0]", "FLOAT"), ("x[1]", "FLOAT")]


@pytest.mark.parametrize("names", ['["warm", "wet"]', "warm, wet"])
def test_a_matrix_takes_its_names_from_the_metadata(names: str) -> None:
    assert inputs(row_sums(metadata={"feature_names": names})) == [("warm", "FLOAT"), ("wet", "FLOAT")]


@pytest.mark.parametrize("names", ['["one"]', '["a", "a"]', "[1, 2]", "{}", ""])
def test_names_that_do_not_fit_are_ignored(names: str) -> None:
    assert inputs(row_sums(metadata={"feature_names": names})) == [("x[0]", "FLOAT"), ("x[1]", "FLOAT")]


def test_single_columns_keep_their_names_and_types() -> None:
    made = model(
        [make_node("Cast", ["b"], ["c"], to=DOUBLE), make_node("Add", ["a", "c"], ["y"])],
        inputs=[("a", DOUBLE, (None, 1)), ("b", INT64, (None, 1))],
        outputs=[("y", DOUBLE, (None, 1))],
    )
    assert inputs(made) == [("a", "DOUBLE"), ("b", "INTEGER")]
    assert loaded(made).score({"a": np.array([0.5]), "b": np.array([2.0])})["y"].tolist() == [2.5]


def test_a_fixed_number_of_rows_is_filled_up() -> None:
    made = row_sums(inputs=[("x", FLOAT, (4, 2))], outputs=[("y", FLOAT, (4, 1))])
    columns = {"x[0]": np.arange(10.0), "x[1]": np.ones(10)}
    assert loaded(made).score(columns)["y"].tolist() == [value + 1.0 for value in range(10)]


def test_a_wide_output_becomes_numbered_columns() -> None:
    made = model([make_node("Identity", ["x"], ["y"])], outputs=[("y", FLOAT, (None, 2))])
    answers = loaded(made).score({"x[0]": np.array([1.0]), "x[1]": np.array([2.0])})
    assert {name: column.tolist() for name, column in answers.items()} == {"y[0]": [1.0], "y[1]": [2.0]}


def test_an_output_of_open_width_is_measured() -> None:
    made = model([make_node("Identity", ["x"], ["y"])], outputs=[("y", FLOAT, (None, "wide"))])
    assert [field.name for field in loaded(made).outputs] == ["y[0]", "y[1]"]


def test_booleans_and_text_pass_through() -> None:
    made = model(
        [make_node("Not", ["b"], ["flag"]), make_node("Identity", ["t"], ["word"])],
        inputs=[("b", BOOL, (None, 1)), ("t", STRING, (None, 1))],
        outputs=[("flag", BOOL, (None, 1)), ("word", STRING, (None, 1))],
    )
    answers = loaded(made).score({"b": np.array([True, False]), "t": np.array(["x", "y"], dtype=object)})
    assert (answers["flag"].dtype, answers["flag"].tolist()) == (np.dtype(bool), [False, True])
    assert answers["word"].tolist() == ["x", "y"]


def test_a_map_of_probabilities_becomes_one_column_per_class() -> None:
    scorer = samples.scorer("onnx_logistic_regression")
    assert [(field.name, field.type) for field in scorer.outputs] == [
        ("output_label", "STRING"),
        ("probability(busy)", "FLOAT"),
        ("probability(hot)", "FLOAT"),
        ("probability(idle)", "FLOAT"),
    ]


def test_an_output_without_one_value_per_row_is_an_error() -> None:
    made = onnx_files.model([make_node("ReduceSum", ["x"], ["y"], keepdims=1)], outputs=[("y", FLOAT, ("rows", 1))])
    with pytest.raises(ScoringError, match="Output 'y' does not have one value per row"):
        loaded(made).score({"x[0]": np.ones(3), "x[1]": np.ones(3)})


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((None, None), "Input 'x' has the shape [None, None]; one row of 1 to 4096 columns is supported."),
        ((None, 3, 8, 8), "Input 'x' has the shape [None, 3, 8, 8]; one row of 1 to 4096 columns is supported."),
        ((None, 5000), "Input 'x' has the shape [None, 5000]; one row of 1 to 4096 columns is supported."),
    ],
)
def test_an_input_that_is_no_row_of_columns_is_refused(shape: Any, reason: str) -> None:
    made = model([make_node("Identity", ["x"], ["y"])], inputs=[("x", FLOAT, shape)], outputs=[("y", FLOAT, shape)])
    assert refusal(made) == reason


def test_a_sequence_as_output_is_refused() -> None:
    from onnx.helper import make_tensor_sequence_value_info

    made = model([make_node("SequenceConstruct", ["x"], ["y"])])
    made.graph.output[0].CopyFrom(make_tensor_sequence_value_info("y", FLOAT, None))
    assert refusal(made) == "Output 'y' is of type seq(tensor(float)), not supported."


def test_an_unknown_operator_is_refused() -> None:
    assert refusal(model([make_node("NoSuchThing", ["x"], ["y"])])).startswith("onnxruntime cannot load the model:")


def test_an_infinite_answer_is_no_value() -> None:
    made = model([make_node("Log", ["x"], ["y"])], outputs=[("y", FLOAT, (None, 2))])
    answers = loaded(made).score({"x[0]": np.array([0.0]), "x[1]": np.array([1.0])})
    assert (np.isnan(answers["y[0]"]).tolist(), answers["y[1]"].tolist()) == ([True], [0.0])


def test_a_missing_value_is_refused_unless_the_graph_replaces_it() -> None:
    with pytest.raises(ScoringError, match="Input 'x\\[0\\]' has no value in 1 of 2 rows"):
        loaded(row_sums()).score({"x[0]": np.array([1.0, np.nan]), "x[1]": np.ones(2)})


def classifier(classes: Sequence[str], nodes: Sequence[NodeProto] = (), **options: Any) -> ModelProto:
    """Give a linear classifier whose label goes through ``nodes``."""
    rows = len(classes) if len(classes) > 2 else 1
    linear = make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        domain="ai.onnx.ml",
        classlabels_strings=list(classes),
        coefficients=np.sin(np.arange(2.0 * rows)).tolist(),
        intercepts=np.cos(np.arange(float(rows))).tolist(),
        post_transform="LOGISTIC",
    )
    scores = ("scores", FLOAT, (None, len(classes)))
    return model([linear, *nodes], **{"outputs": [("label", STRING, (None,)), scores]} | options)


THROUGH = make_node("Identity", ["label"], ["named"])
LOOKED_UP = make_node(
    "LabelEncoder", ["label"], ["code"], domain="ai.onnx.ml", keys_strings=["hot", "cold"], values_int64s=[7, 9]
)
NAMED = [("named", STRING, (None,)), ("label", STRING, (None,)), ("scores", FLOAT, (None, 3))]
CODED = [("code", INT64, (None,)), ("label", STRING, (None,)), ("scores", FLOAT, (None, 3))]


@pytest.mark.parametrize(
    ("made", "numbered"),
    [
        (classifier(["hot", "cold", "größer"]), {"label"}),
        (classifier(["no", "yes"]), {"label"}),
        (classifier(["hot", "cold", "größer"], [THROUGH], outputs=NAMED), {"label", "named"}),
        # The label is needed as a text.
        (classifier(["hot", "cold", "x"], [LOOKED_UP], outputs=CODED), set()),
        # Every page would have to list them.
        (classifier([f"class {place}" for place in range(3)] * 30), set()),
    ],
)
def test_a_classifier_that_numbers_its_classes_names_the_same(made: ModelProto, numbered: set[str]) -> None:
    content = made.SerializeToString()
    scorer: Any = load(content, format="ONNX")
    assert set(scorer.words) == numbered
    rows = np.random.default_rng(3).normal(size=(500, 2)).astype(np.float32)
    rows[0] = 0.0
    answers = scorer.score({"x[0]": rows[:, 0].astype(float), "x[1]": rows[:, 1].astype(float)})
    bare = onnx.session(content).run(None, {"x": rows})
    for output, expected in zip(made.graph.output, bare, strict=True):
        if output.name == "scores":
            columns = [answers[f"scores[{place}]"] for place in range(expected.shape[1])]
            assert np.array_equal(np.column_stack(columns), expected)
        else:
            assert answers[output.name].tolist() == expected.tolist()
            kinds = {field.name: field.type for field in scorer.outputs}
            assert kinds[output.name] == ("INTEGER" if output.name == "code" else "STRING")
