"""Have a linear classifier number its classes: onnxruntime would make a Python string for every row.

The operator decides on a class's place first and looks the text up at last (``classlabels_strings``); told to look up
numbers (``classlabels_ints``), it answers with the places. Changed only where the label goes nowhere but out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zementis.inference.protobuf import encode, fields

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_OUTPUT, _GRAPH_VALUE_INFO = 7, 1, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_GRAPH, _ATTRIBUTE_INTS, _ATTRIBUTE_STRINGS, _ATTRIBUTE_GRAPHS = 1, 6, 8, 9, 11
_ATTRIBUTE_TYPE, _TYPE_INTS, _INT64 = 20, 7, 7
# Every page that is stored lists them.
_MOST_CLASSES = 64


def numbered(data: bytes) -> tuple[bytes, dict[str, tuple[str, ...]]]:
    """Return the file with classes as numbers, and the texts by the name of the graph output that holds the numbers.

    The file as it is, and nothing, where it has no linear classifier or its label is needed as a text.
    """
    graph = next(field.message() for field in fields(data) if field.number == _MODEL_GRAPH)
    nodes = [field.message() for field in fields(graph) if field.number == _GRAPH_NODE]
    classifiers = [node for node in nodes if _texts(node, _NODE_OP) == ["LinearClassifier"]]
    if len(classifiers) != 1 or any(_holds_graph(node) for node in nodes):
        return data, {}
    words, label = _words(classifiers[0]), "".join(_texts(classifiers[0], _NODE_OUTPUT)[:1])
    outputs = _named(graph, _GRAPH_OUTPUT)
    users = [node for node in nodes if label in _texts(node, _NODE_INPUT)]
    names = {label, *(name for node in users for name in _texts(node, _NODE_OUTPUT))}
    if (
        not label
        or not 2 <= len(words) <= _MOST_CLASSES
        or any(_texts(node, _NODE_OP) != ["Identity"] for node in users)
        or not names - {label} <= outputs
        or names & _named(graph, _GRAPH_VALUE_INFO)
    ):
        return data, {}
    body = b"".join(_changed(graph, classifiers[0], names))
    content = b"".join(
        encode(_MODEL_GRAPH, body) if field.number == _MODEL_GRAPH else bytes(field.raw) for field in fields(data)
    )
    return content, dict.fromkeys(sorted(names & outputs), words)


def _changed(graph: memoryview, classifier: memoryview, names: set[str]) -> Iterator[bytes]:
    for field in fields(graph):
        if field.number == _GRAPH_NODE and field.message() == classifier:
            yield encode(_GRAPH_NODE, b"".join(_node(classifier)))
        elif field.number == _GRAPH_OUTPUT and (name := "".join(_texts(field.message(), 1)[:1])) in names:
            shape = encode(1, encode(2, "N"))
            yield encode(_GRAPH_OUTPUT, encode(1, name) + encode(2, encode(1, encode(1, _INT64) + encode(2, shape))))
        else:
            yield bytes(field.raw)


def _named(graph: memoryview, number: int) -> set[str]:
    """Return the names of the graph's outputs, or of other values it declares."""
    return {name for field in fields(graph) if field.number == number for name in _texts(field.message(), 1)}


def _node(classifier: memoryview) -> Iterator[bytes]:
    for field in fields(classifier):
        if field.number == _NODE_ATTRIBUTE and _texts(field.message(), _ATTRIBUTE_NAME) == ["classlabels_strings"]:
            places = b"".join(encode(_ATTRIBUTE_INTS, place) for place in range(len(_words(classifier))))
            kind = encode(_ATTRIBUTE_TYPE, _TYPE_INTS)
            yield encode(_NODE_ATTRIBUTE, encode(_ATTRIBUTE_NAME, "classlabels_ints") + places + kind)
        else:
            yield bytes(field.raw)


def _words(classifier: memoryview) -> tuple[str, ...]:
    """Return the classes of a classifier that names them by texts and by nothing else."""
    attributes = [field.message() for field in fields(classifier) if field.number == _NODE_ATTRIBUTE]
    names: Sequence[str] = [name for attribute in attributes for name in _texts(attribute, _ATTRIBUTE_NAME)]
    if "classlabels_ints" in names or names.count("classlabels_strings") != 1:
        return ()
    return tuple(_texts(attributes[names.index("classlabels_strings")], _ATTRIBUTE_STRINGS))


def _holds_graph(node: memoryview) -> bool:
    attributes = [field.message() for field in fields(node) if field.number == _NODE_ATTRIBUTE]
    return any(part.number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) for one in attributes for part in fields(one))


def _texts(message: memoryview, number: int) -> list[str]:
    return [field.text() for field in fields(message) if field.number == number]
