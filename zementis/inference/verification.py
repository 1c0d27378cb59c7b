"""Score the rows that a PMML file brings along for the purpose (ModelVerification) and compare with what it expects.

Numbers agree as PMML defines it: within ``precision``, relative to the expected value, and below ``zeroThreshold`` both
count as zero. Exporters ask for as little as 1e-13, which another order of adding up can exceed: differences below
1e-9 are rounding whatever the file says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

import numpy as np

from zementis.inference.columns import NUMERIC_TYPES
from zementis.inference.description import Field
from zementis.inference.errors import INVALID_XML, InvalidModel
from zementis.inference.pmml import Document

if TYPE_CHECKING:
    from zementis.inference.scorer import Column, Scorer

PRECISION, ZERO_THRESHOLD = 1e-6, 1e-16
"""PMML's own defaults."""
ROUNDING = 1e-9
_TRUTHS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


@dataclass(frozen=True)
class _Checked:
    """A field of the verification: the cells' tag, and how close an output must come."""

    name: str
    cell: str
    precision: float
    zero: float


def verify(document: Document, scorer: Scorer) -> str:
    """Return a sentence on what was verified, empty where the file has no such rows.

    Rows without a value that the model needs are left out. Raises InvalidModel naming field, row, expected and got.
    """
    element = document.model.find("ModelVerification")
    rows = element.findall("InlineTable/row") if element is not None else []
    if element is None or not rows:
        return ""
    fields = [_checked(field) for field in element.findall("VerificationFields/VerificationField")]
    table = [{cell.tag: (cell.text or "").strip() for cell in row} for row in rows]
    tags = {field.name: field.cell for field in fields}
    columns = {one.name: _inputs(one, tags.get(one.name), table) for one in document.inputs}
    usable = np.ones(len(rows), dtype=bool)
    if not scorer.accepts_missing:
        for column in columns.values():
            usable &= np.array([value is not None and value == value for value in column.tolist()])
    numbers = np.flatnonzero(usable)
    if not len(numbers):
        return ""
    answers = scorer.score({name: column[usable] for name, column in columns.items()})
    compared = 0
    for field in fields:
        answer = _answer(field.name, answers, document)
        for row, value in zip(numbers.tolist(), answer.tolist() if answer is not None else (), strict=False):
            expected = table[row].get(field.cell, "")
            if expected:
                compared += 1
                _compare(field, row + 1, expected, value)
    return f"{len(numbers)} of {len(rows)} rows of its own verification agree." if compared else ""


def _checked(element: Element) -> _Checked:
    name = element.get("field", "")
    numbers = []
    for attribute, default in (("precision", PRECISION), ("zeroThreshold", ZERO_THRESHOLD)):
        text = element.get(attribute)
        number = default if text is None else _number(text)
        if number is None or not 0 <= number < float("inf"):
            raise InvalidModel(INVALID_XML, f"ModelVerification: {attribute} of '{name}' is '{_short(text)}'.")
        numbers.append(number)
    # Cells are elements of a namespace of their own, which is off the tags here.
    cell = (element.get("column") or name).rpartition(":")[2]
    return _Checked(name, cell, max(numbers[0], ROUNDING), numbers[1])


def _inputs(field: Field, cell: str | None, table: list[dict[str, str]]) -> Column:
    texts = [row.get(cell, "") if cell is not None else "" for row in table]
    if field.type not in NUMERIC_TYPES | {"BOOLEAN"}:
        return np.array([text or None for text in texts], dtype=object)
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text:
            number = _TRUTHS.get(text.lower()) if field.type == "BOOLEAN" else _number(text)
            if number is None:
                raise InvalidModel(
                    INVALID_XML, f"ModelVerification: '{field.name}' in row {row + 1} is '{_short(text)}'."
                )
            values[row] = number
    return values


def _answer(name: str, answers: dict[str, Column], document: Document) -> Column | None:
    """Return what the model said of a verification field, None where it is none of its outputs."""
    if name in answers:
        return answers[name]
    if name != document.target:
        return None
    for element in document.output_elements:
        if element.get("feature", "predictedValue") == "predictedValue" and element.get("segmentId") is None:
            return answers.get(element.get("name", ""))
    return answers.get(f"predicted_{name}")


def _compare(field: _Checked, row: int, expected: str, got: Any) -> None:
    if not _agree(field, expected, got):
        raise InvalidModel(
            f"The model fails its own verification: '{field.name}' in row {row} is {_short(got)}, expected"
            f" {_short(expected)}."
        )


def _agree(field: _Checked, expected: str, got: Any) -> bool:
    if isinstance(got, bool):
        return _TRUTHS.get(expected.lower()) == float(got)
    if isinstance(got, str):
        number = _number(expected)
        return got == expected or (number is not None and number == _number(got))
    wanted = _number(expected)
    if wanted is None or got is None:
        return False
    if abs(wanted) <= field.zero:
        return bool(abs(got) <= max(field.zero, ROUNDING))
    return bool(abs(got - wanted) <= field.precision * abs(wanted))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(value: object) -> str:
    text = "".join(character if character.isprintable() else "_" for character in str(value)[:61])
    return text if len(text) <= 60 else f"{text[:57]}..."
