"""A file that brings rows and what they should give is held to them."""

import pytest

from tests.zementis.inference import pmml_files
from zementis.inference import InvalidModel, inspect, verification
from zementis.inference.limits import Limits
from zementis.inference.pmml import Document, read
from zementis.inference.trees import TreeScorer

OUTPUT = (
    '<Output><OutputField name="score" dataType="double" optype="continuous" feature="predictedValue"/>'
    '<OutputField name="high" dataType="boolean" optype="categorical" feature="transformedValue">'
    '<Apply function="greaterThan"><FieldRef field="score"/><Constant dataType="double">5</Constant></Apply>'
    "</OutputField></Output>"
)


def table(*rows: str, field: str = "score", attributes: str = "") -> str:
    """A verification of rows of cells as ``a=1 b=2 score=3``, in a namespace of their own."""
    cells = "".join(
        "<row>" + "".join(f"<d:{name}>{value}</d:{name}>" for name, value in map(_pair, row.split())) + "</row>"
        for row in rows
    )
    return (
        f'<ModelVerification recordCount="{len(rows)}" fieldCount="4"><VerificationFields>'
        '<VerificationField field="a" column="d:a"/><VerificationField field="b" column="d:b"/>'
        f'<VerificationField field="{field}" column="d:{field}" {attributes}/>'
        '<VerificationField field="high" column="d:high"/></VerificationFields>'
        f'<InlineTable xmlns:d="http://example.com/rows">{cells}</InlineTable></ModelVerification>'
    )


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def document(more: str) -> bytes:
    """Two leaves: 2.5 up to a = 1, 7.5 above."""
    model = pmml_files.tree(pmml_files.split("2.5", "7.5"), output=OUTPUT)
    return pmml_files.document(model.replace("</TreeModel>", f"{more}</TreeModel>"))


def verified(more: str) -> str:
    found: Document = read(document(more), limits=Limits())
    return verification.verify(found, TreeScorer(found))


def test_a_file_without_rows_is_not_verified() -> None:
    assert verified("") == ""


def test_rows_that_agree_are_counted() -> None:
    rows = ("a=0 b=0 score=2.5 high=false", "a=2 b=0 score=7.5 high=true")
    assert verified(table(*rows)) == "2 of 2 rows of its own verification agree."


@pytest.mark.parametrize(
    ("row", "field", "attributes", "told"),
    [
        ("a=0 b=0 score=2.6", "score", "", "'score' in row 2 is 2.5, expected 2.6."),
        ("a=0 b=0 score=2.5001", "score", "", "'score' in row 2 is 2.5, expected 2.5001."),
        ("a=0 b=0 score=none", "score", "", "'score' in row 2 is 2.5, expected none."),
        ("a=2 b=0 score=7.5 high=false", "score", "", "'high' in row 2 is True, expected false."),
        ("a=2 b=0 y=2.5", "y", "", "'y' in row 2 is 7.5, expected 2.5."),
        ("a=0 b=0 score=0", "score", 'zeroThreshold="1"', "'score' in row 2 is 2.5, expected 0."),
    ],
)
def test_a_row_that_differs_is_told(row: str, field: str, attributes: str, told: str) -> None:
    with pytest.raises(InvalidModel) as refusal:
        verified(table(f"a=0 b=0 {field}=2.5", row, field=field, attributes=attributes))
    assert refusal.value.errors == (f"The model fails its own verification: {told}",)


@pytest.mark.parametrize(
    ("row", "attributes"),
    [
        ("score=2.5001", 'precision="1e-3"'),
        ("score=0", 'zeroThreshold="3"'),
        ("score=2.5000000001", 'precision="1e-13"'),
        ("other=5", ""),
    ],
)
def test_precision_and_zero_are_the_files_own_but_rounding_is_none(row: str, attributes: str) -> None:
    assert verified(table(f"a=0 b=0 {row}", attributes=attributes)) == (
        "" if row.startswith("other") else "1 of 1 rows of its own verification agree."
    )


def test_rows_without_a_value_that_is_needed_are_left_out() -> None:
    assert verified(table("a=0 score=99", "a=0 b=1 score=2.5")) == "1 of 2 rows of its own verification agree."


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (table("a=x b=0 score=2.5"), "'a' in row 1 is 'x'."),
        (table("a=0 b=0 score=2.5", attributes='precision="wide"'), "precision of 'score' is 'wide'."),
        (table("a=0 b=0 score=2.5", attributes='zeroThreshold="-1"'), "zeroThreshold of 'score' is '-1'."),
    ],
)
def test_a_verification_that_cannot_be_read_is_told(more: str, told: str) -> None:
    with pytest.raises(InvalidModel) as refusal:
        verified(more)
    assert refusal.value.errors == ("Invalid XML format.", f"ModelVerification: {told}")


def test_an_upload_is_held_to_it() -> None:
    good = inspect(document(table("a=0 b=0 score=2.5")), format="PMML")
    assert good.engine_reason == (
        "Its trees are compiled and agree with pypmml on 100 made-up rows; no Java is needed."
        " 1 of 1 rows of its own verification agree."
    )
    with pytest.raises(InvalidModel, match="'score' in row 1 is 2.5, expected 7.5"):
        inspect(document(table("a=0 b=0 score=7.5")), format="PMML")
