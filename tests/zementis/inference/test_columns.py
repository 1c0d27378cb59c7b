"""Rows are checked before any engine sees them."""

from typing import Any

import numpy as np
import pytest

from tests.zementis.inference import samples
from zementis.inference import Engine, ScoringError
from zementis.inference.columns import check
from zementis.inference.description import Field

NUMBER, SINGLE, WHOLE = Field("n", "DOUBLE", "ACTIVE"), Field("s", "FLOAT", "ACTIVE"), Field("w", "INTEGER", "ACTIVE")
TEXT, TRUTH = Field("t", "STRING", "ACTIVE"), Field("b", "BOOLEAN", "ACTIVE")


def refusal(columns: dict[str, Any], *fields: Field, accepts_missing: bool = False) -> str:
    """Give the message rows are refused with."""
    with pytest.raises(ScoringError) as error:
        check(columns, fields, accepts_missing=accepts_missing)
    assert not error.value.retryable
    return str(error.value)


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        (NUMBER, np.array(["1", "2"], dtype=object), "Input 'n' takes numbers."),
        (NUMBER, np.zeros((2, 2)), "Input 'n' takes one value per row."),
        (NUMBER, np.array(["2026-01-01"], dtype="datetime64[D]"), "Input 'n' takes numbers."),
        (WHOLE, np.array([1.0, 2.5]), "Input 'w' takes whole numbers."),
        (TRUTH, np.array([0.0, 2.0]), "Input 'b' takes booleans."),
        (TEXT, np.array([1.0, 2.0]), "Input 't' takes text."),
        (TEXT, np.array(["a", 2], dtype=object), "Input 't' takes text."),
        (
            NUMBER,
            np.array([1.0, np.nan, np.inf]),
            "Input 'n' has no value in 2 of 3 rows, and the model does not say what to do with missing values.",
        ),
        (
            TEXT,
            np.array(["a", None], dtype=object),
            "Input 't' has no value in 1 of 2 rows, and the model does not say what to do with missing values.",
        ),
    ],
)
def test_a_bad_column_is_refused(field: Field, values: Any, message: str) -> None:
    assert refusal({field.name: values}, field) == message


def test_absent_columns_are_named() -> None:
    assert refusal({"n": np.zeros(1)}, NUMBER, SINGLE, WHOLE) == "No column for input 's', 'w'."


def test_columns_of_different_length_are_refused() -> None:
    columns = {"n": np.zeros(3), "s": np.zeros(2)}
    assert refusal(columns, NUMBER, SINGLE) == "The input columns differ in length: 2, 3."


def test_infinite_numbers_count_as_missing() -> None:
    (column,) = check({"n": np.array([1.0, np.inf, -np.inf])}, [NUMBER], accepts_missing=True)
    assert np.array_equal(column, [1.0, np.nan, np.nan], equal_nan=True)


def test_a_single_precision_input_is_rounded_to_it() -> None:
    (column,) = check({"s": np.array([0.1])}, [SINGLE], accepts_missing=False)
    assert column.tolist() == [float(np.float32(0.1))]


def test_further_columns_are_left_alone() -> None:
    (column,) = check({"n": np.array([1, 2]), "more": np.array(["x", "y"])}, [NUMBER], accepts_missing=False)
    assert column.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("engine", ["trees", "pypmml"])
def test_a_forest_without_a_declared_replacement_refuses_incomplete_rows(engine: Engine) -> None:
    scorer = samples.scorer("isolation_forest", engine=engine)
    rows = samples.asked("isolation_forest")
    rows["current"] = rows["current"].copy()
    rows["current"][3] = np.nan
    with pytest.raises(ScoringError, match="Input 'current' has no value in 1 of 300 rows"):
        scorer.score(rows)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("imputed_regression", True),
        ("hist_gradient_boosting_missing", True),
        ("onnx_imputed_regression", True),
        ("isolation_forest", False),
        ("random_forest_regression", False),
        ("linear_regression", False),
        ("onnx_random_forest_regression", False),
    ],
)
def test_missing_values_are_accepted_only_where_the_file_declares_a_treatment(name: str, expected: bool) -> None:
    assert samples.scorer(name).accepts_missing is expected
