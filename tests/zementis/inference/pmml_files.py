"""Write small PMML files, good and bad."""

from collections.abc import Sequence

FIELDS = ("a", "b")


def document(
    model: str,
    *,
    fields: Sequence[str] = FIELDS,
    types: str = "double",
    head: str = "",
    target: str = "y",
    more: str = "",
) -> bytes:
    """Give a PMML file around a model element, with numeric input fields and a numeric target."""
    declared = "".join(f'<DataField name="{name}" optype="continuous" dataType="{types}"/>' for name in fields)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">'
        f"<Header>{head}</Header>"
        f'<DataDictionary>{declared}<DataField name="{target}" optype="continuous" dataType="double"/>{more}'
        f"</DataDictionary>{model}</PMML>"
    ).encode()


def schema(fields: Sequence[str] = FIELDS, *, target: str | None = "y", attributes: str = "") -> str:
    """Give a MiningSchema."""
    active = "".join(f'<MiningField name="{name}" {attributes}/>' for name in fields)
    return (
        f"<MiningSchema>{active}"
        + (f'<MiningField name="{target}" usageType="target"/>' if target else "")
        + ("</MiningSchema>")
    )


def tree(nodes: str, *, attributes: str = "", output: str = "", mining: str | None = None) -> str:
    """Give a regression TreeModel."""
    return (
        f'<TreeModel functionName="regression" {attributes}>{schema() if mining is None else mining}'
        f"{output}{nodes}</TreeModel>"
    )


def split(left: str, right: str, *, field: str = "a", at: float = 1.0, attributes: str = "") -> str:
    """Give a root node with two leaves' scores, at most ``at`` and above."""
    return (
        f'<Node id="0" {attributes}><True/>'
        f'<Node id="1" score="{left}"><SimplePredicate field="{field}" operator="lessOrEqual" value="{at}"/></Node>'
        f'<Node id="2" score="{right}"><SimplePredicate field="{field}" operator="greaterThan" value="{at}"/></Node>'
        "</Node>"
    )


def regression(*, attributes: str = "", mining: str | None = None, head: str = "") -> bytes:
    """Give y = 1 + 2 a + 3 b."""
    return document(
        f'<RegressionModel functionName="regression" {attributes}>{schema() if mining is None else mining}'
        '<RegressionTable intercept="1"><NumericPredictor name="a" coefficient="2"/>'
        '<NumericPredictor name="b" coefficient="3"/></RegressionTable></RegressionModel>',
        head=head,
    )


def ensemble(method: str, *trees: str, attributes: str = "", weights: Sequence[float] = ()) -> bytes:
    """Give a regression MiningModel over trees."""
    shares = list(weights) or [1.0] * len(trees)
    segments = "".join(
        f'<Segment id="{place}" weight="{weight}"><True/>{part}</Segment>'
        for place, (part, weight) in enumerate(zip(trees, shares, strict=True))
    )
    return document(
        f'<MiningModel functionName="regression">{schema()}'
        f'<Segmentation multipleModelMethod="{method}" {attributes}>{segments}</Segmentation></MiningModel>'
    )
