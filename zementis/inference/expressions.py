"""PMML expressions (Apply, Constant, FieldRef) over whole columns, in NumPy.

Every value is a float64 column: booleans are 1.0 and 0.0, a missing value is NaN, and as in PMML a function of a
missing value is missing. What is not covered raises `NotCompilable` while compiling, never while scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

import numpy as np

if TYPE_CHECKING:
    from zementis.inference.scorer import Column

Values = Mapping[str, "Column"]
Expression = Callable[[Values, int], "Column"]


class NotCompilable(ValueError):  # noqa: N818  # a finding, not a fault
    """The model has a part the compiler does not cover; the message says which, as the end of a sentence."""


def _comparison(compare: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def compared(left: Any, right: Any) -> Any:
        unknown = np.isnan(left) | np.isnan(right)
        return np.where(unknown, np.nan, compare(left, right).astype(np.float64))

    return compared


def _logic(combine: Callable[[Any], Any], deciding: float) -> Callable[..., Any]:
    """PMML's three-valued ``and`` and ``or``: a deciding operand settles it even beside a missing one."""

    def combined(*operands: Any) -> Any:
        table = np.stack(operands)
        settled = (table == deciding).any(axis=0)
        unknown = np.isnan(table).any(axis=0) & ~settled
        return np.where(unknown, np.nan, combine(table == 1.0).astype(np.float64))

    return combined


def _choose(condition: Any, yes: Any, no: Any = None) -> Any:
    other = np.full_like(yes, np.nan) if no is None else no
    return np.where(np.isnan(condition), np.nan, np.where(condition == 1.0, yes, other))


_FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "+": (np.add, 2, 2),
    "-": (np.subtract, 2, 2),
    "*": (np.multiply, 2, 2),
    "/": (np.divide, 2, 2),
    "pow": (np.power, 2, 2),
    "exp": (np.exp, 1, 1),
    "expm1": (np.expm1, 1, 1),
    "ln": (np.log, 1, 1),
    "ln1p": (np.log1p, 1, 1),
    "log10": (np.log10, 1, 1),
    "sqrt": (np.sqrt, 1, 1),
    "abs": (np.abs, 1, 1),
    "floor": (np.floor, 1, 1),
    "ceil": (np.ceil, 1, 1),
    # PMML rounds halves up, NumPy to even.
    "round": (lambda value: np.floor(value + 0.5), 1, 1),
    "threshold": (_comparison(np.greater), 2, 2),
    "equal": (_comparison(np.equal), 2, 2),
    "notEqual": (_comparison(np.not_equal), 2, 2),
    "lessThan": (_comparison(np.less), 2, 2),
    "lessOrEqual": (_comparison(np.less_equal), 2, 2),
    "greaterThan": (_comparison(np.greater), 2, 2),
    "greaterOrEqual": (_comparison(np.greater_equal), 2, 2),
    "and": (_logic(lambda table: table.all(axis=0), 0.0), 2, 64),
    "or": (_logic(lambda table: table.any(axis=0), 1.0), 2, 64),
    "not": (lambda value: 1.0 - value, 1, 1),
    "if": (_choose, 2, 3),
    "isMissing": (lambda value: np.isnan(value).astype(np.float64), 1, 1),
    "isNotMissing": (lambda value: (~np.isnan(value)).astype(np.float64), 1, 1),
}


def compile_expression(element: Element, known: Collection[str]) -> Expression:
    """Give a function of (columns by name, number of rows) for a PMML expression.

    ``known`` are the fields it may refer to. Raises NotCompilable.
    """
    if element.tag == "FieldRef":
        return _field(element, known)
    if element.tag == "Constant":
        return _constant(element)
    if element.tag == "Apply":
        return _apply(element, known)
    raise NotCompilable(f"the expression {element.tag}")


def expression_of(element: Element) -> Element:
    """Give the one expression inside a DerivedField or OutputField. Raises NotCompilable where there is none."""
    for child in element:
        if child.tag in {"Apply", "Constant", "FieldRef"}:
            return child
    unknown = next((child.tag for child in element if child.tag not in {"Extension", "Value", "Decisions"}), "nothing")
    raise NotCompilable(f"the expression {unknown} of '{element.get('name', '')}'")


def _field(element: Element, known: Collection[str]) -> Expression:
    name = element.get("field", "")
    if name not in known:
        raise NotCompilable(f"a reference to '{name}'")
    if element.get("mapMissingTo") is not None:
        raise NotCompilable("mapMissingTo")
    return lambda values, count: values[name]


def _constant(element: Element) -> Expression:
    text = (element.text or "").strip()
    if element.get("missing") == "true":
        number = np.nan
    elif text in {"true", "false"}:
        number = float(text == "true")
    else:
        if element.get("dataType", "double") not in {"double", "float", "integer"}:
            raise NotCompilable("a constant that is no number")
        try:
            number = float(np.float32(text)) if element.get("dataType") == "float" else float(text)
        except ValueError as error:
            raise NotCompilable(f"the constant '{text[:40]}'") from error
    return lambda values, count: np.full(count, number)


def _apply(element: Element, known: Collection[str]) -> Expression:
    name = element.get("function", "")
    if any(element.get(attribute) is not None for attribute in ("mapMissingTo", "defaultValue")):
        raise NotCompilable("a function with a default value")
    operands = [compile_expression(child, known) for child in element if child.tag != "Extension"]
    if name in {"min", "max", "sum", "avg"} and operands:
        return _aggregate(name, operands)
    function, least, most = _FUNCTIONS.get(name, (None, 0, 0))
    if function is None or not least <= len(operands) <= most:
        raise NotCompilable(f"the function {name} of {len(operands)} operands")
    chosen = function
    return lambda values, count: chosen(*(operand(values, count) for operand in operands))


def _aggregate(name: str, operands: list[Expression]) -> Expression:
    reductions: dict[str, Callable[..., Any]] = {"min": np.min, "max": np.max, "sum": np.sum, "avg": np.mean}
    reduce = reductions[name]
    return lambda values, count: reduce(np.stack([operand(values, count) for operand in operands]), axis=0)
