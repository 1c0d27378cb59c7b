"""Look into an ONNX file before onnxruntime loads it, and make it fit for columns.

Refused: tensors kept in other files (onnxruntime would read any path of the machine), operators outside the standard
sets, graphs nested without end. Changed: class-probability maps (ZipMap), which onnxruntime would hand out as one
dict per row, are cut off so that the matrix before them becomes the output. Numbers of fields are those of onnx.proto.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from zementis.inference import onnx_labels
from zementis.inference.errors import INVALID_ONNX, InvalidModel
from zementis.inference.protobuf import WireError, WireField, encode, fields

_MODEL_DOC, _MODEL_GRAPH, _MODEL_METADATA, _MODEL_FUNCTIONS, _MODEL_TRAINING = 6, 7, 14, 25, 20
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_DOC, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 10, 12, 15
_NODE_INPUT, _NODE_OUTPUT, _NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_T, _ATTRIBUTE_G, _ATTRIBUTE_INTS, _ATTRIBUTE_STRINGS = 1, 5, 6, 8, 9
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 10, 11, 22, 23
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_FUNCTION_NODE, _FUNCTION_DOMAIN = 7, 10
_FLOAT = 1

_STANDARD_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_MAX_DEPTH = 16
# The operator that says what a model is, the most telling first.
_TELLING_OPERATORS: Final = (
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "SVMClassifier",
    "SVMRegressor",
    "LinearClassifier",
    "LinearRegressor",
    "Conv",
    "LSTM",
    "Gemm",
    "MatMul",
)
_NETWORK_OPERATORS = frozenset({"Conv", "LSTM", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Node:
    """One operator of the graph."""

    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[memoryview, ...]

    def attribute(self, name: str) -> list[WireField]:
        """Give the fields of the attribute of that name, none where it is absent."""
        for attribute in self.attributes:
            parts = list(fields(attribute))
            if any(part.number == _ATTRIBUTE_NAME and part.text() == name for part in parts):
                return parts
        return []


@dataclass(frozen=True)
class Graph:
    """What was found in an ONNX file, and the file to load instead of it."""

    content: bytes
    description: str
    model_class: str
    feature_names: tuple[str, ...]
    class_names: dict[str, tuple[str, ...]]
    """Class names by the name of the graph output that took a map's place."""
    replaced_outputs: dict[str, str]
    """The map output's own name by the name of the graph output that took its place."""
    accepts_missing: bool
    words: dict[str, tuple[str, ...]]
    """The texts by the name of the graph output that has their places instead; see `onnx_labels`."""


def read(data: bytes, *, numbered: bool = True) -> Graph:
    """Check an ONNX file and give what of it can be told without running it. Raises InvalidModel.

    Without ``numbered``, texts stay the graph's own.
    """
    try:
        return _read(data, numbered=numbered)
    except WireError as error:
        raise InvalidModel(INVALID_ONNX, f"The file is not an ONNX model: {error}.") from error


def _read(data: bytes, *, numbered: bool) -> Graph:
    description = ""
    feature_names: tuple[str, ...] = ()
    functions: list[memoryview] = []
    graphs: list[memoryview] = []
    for field in fields(data):
        if field.number == _MODEL_GRAPH:
            graphs.append(field.message())
        elif field.number == _MODEL_DOC:
            description = field.text()
        elif field.number == _MODEL_FUNCTIONS:
            functions.append(field.message())
        elif field.number == _MODEL_TRAINING:
            raise InvalidModel(INVALID_ONNX, "The file holds training information; export it for inference.")
        elif field.number == _MODEL_METADATA:
            key, value = _entry(field.message())
            feature_names = _feature_names(value) if key == "feature_names" else feature_names
    if len(graphs) != 1:
        raise InvalidModel(INVALID_ONNX, "The file holds no graph.")
    local_domains = {part.text() for body in functions for part in fields(body) if part.number == _FUNCTION_DOMAIN}
    domains = _STANDARD_DOMAINS | local_domains
    for body in functions:
        for part in fields(body):
            if part.number == _FUNCTION_NODE:
                _check_node(part.message(), domains, depth=1)
    nodes = _check_graph(graphs[0], domains, depth=0)
    content, class_names, replaced = _without_maps(data, graphs[0], nodes)
    content, words = onnx_labels.numbered(content) if numbered else (content, {})
    return Graph(
        content=content,
        description=description,
        model_class=_model_class(nodes),
        feature_names=feature_names,
        class_names=class_names,
        replaced_outputs=replaced,
        accepts_missing=_accepts_missing(nodes),
        words=words,
    )


def _check_graph(graph: memoryview, domains: frozenset[str] | set[str], *, depth: int) -> list[Node]:
    if depth > _MAX_DEPTH:
        raise InvalidModel(INVALID_ONNX, "Graphs are nested too deeply.")
    nodes = []
    for field in fields(graph):
        if field.number == _GRAPH_NODE:
            nodes.append(_check_node(field.message(), domains, depth=depth))
        elif field.number == _GRAPH_INITIALIZER:
            _check_tensor(field.message())
        elif field.number == _GRAPH_SPARSE:
            _check_sparse(field.message())
    return nodes


def _check_node(data: memoryview, domains: frozenset[str] | set[str], *, depth: int) -> Node:
    operator = domain = ""
    inputs, outputs, attributes = [], [], []
    for field in fields(data):
        if field.number == _NODE_INPUT:
            inputs.append(field.text())
        elif field.number == _NODE_OUTPUT:
            outputs.append(field.text())
        elif field.number == _NODE_OP:
            operator = field.text()
        elif field.number == _NODE_DOMAIN:
            domain = field.text()
        elif field.number == _NODE_ATTRIBUTE:
            attributes.append(field.message())
    if domain not in domains:
        raise InvalidModel(INVALID_ONNX, f"The operator {operator} is of the set '{domain}', which is not supported.")
    for attribute in attributes:
        for part in fields(attribute):
            if part.number in (_ATTRIBUTE_T, _ATTRIBUTE_TENSORS):
                _check_tensor(part.message())
            elif part.number in (_ATTRIBUTE_G, _ATTRIBUTE_GRAPHS):
                _check_graph(part.message(), domains, depth=depth + 1)
            elif part.number in (_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES):
                _check_sparse(part.message())
    return Node(operator, domain, tuple(inputs), tuple(outputs), tuple(attributes))


def _check_tensor(data: memoryview) -> None:
    for field in fields(data):
        if field.number == _TENSOR_EXTERNAL or (field.number == _TENSOR_LOCATION and field.value != 0):
            raise InvalidModel(INVALID_ONNX, "The model keeps tensors in other files; save it as one file.")


def _check_sparse(data: memoryview) -> None:
    for field in fields(data):
        if field.number in (1, 2):
            _check_tensor(field.message())


def _without_maps(
    data: bytes, graph: memoryview, nodes: Sequence[Node]
) -> tuple[bytes, dict[str, tuple[str, ...]], dict[str, str]]:
    """Give the file with the graph's ZipMap outputs replaced by the matrices before them."""
    maps = {node.outputs[0]: node for node in nodes if node.operator == "ZipMap" and node.outputs and node.inputs}
    outputs = {_name(field.message()) for field in fields(graph) if field.number == _GRAPH_OUTPUT}
    cut = {name: node for name, node in maps.items() if name in outputs}
    if not cut:
        return data, {}, {}
    body = b"".join(_graph_fields(graph, cut))
    content = b"".join(
        encode(_MODEL_GRAPH, body) if field.number == _MODEL_GRAPH else bytes(field.raw) for field in fields(data)
    )
    classes = {node.inputs[0]: _classes(node) for node in cut.values()}
    return content, classes, {node.inputs[0]: name for name, node in cut.items()}


def _graph_fields(graph: memoryview, cut: dict[str, Node]) -> Iterator[bytes]:
    for field in fields(graph):
        if field.number == _GRAPH_NODE and _first_output(field.message()) in cut:
            continue
        if field.number == _GRAPH_OUTPUT and _name(field.message()) in cut:
            node = cut[_name(field.message())]
            source = node.inputs[0]
            shape = encode(1, encode(2, "N")) + encode(1, encode(1, len(_classes(node))))
            tensor = encode(1, encode(1, _FLOAT) + encode(2, shape))
            yield encode(_GRAPH_OUTPUT, encode(1, source) + encode(2, tensor))
        else:
            yield bytes(field.raw)


def _classes(node: Node) -> tuple[str, ...]:
    texts = [part.text() for part in node.attribute("classlabels_strings") if part.number == _ATTRIBUTE_STRINGS]
    numbers = [
        str(value)
        for part in node.attribute("classlabels_int64s")
        if part.number == _ATTRIBUTE_INTS
        for value in part.integers()
    ]
    return tuple(texts or numbers)


def _first_output(node: memoryview) -> str:
    return next((field.text() for field in fields(node) if field.number == _NODE_OUTPUT), "")


def _name(value_info: memoryview) -> str:
    return next((field.text() for field in fields(value_info) if field.number == 1), "")


def _entry(data: memoryview) -> tuple[str, str]:
    parts = {field.number: field.text() for field in fields(data)}
    return parts.get(1, ""), parts.get(2, "")


def _feature_names(text: str) -> tuple[str, ...]:
    """Give the names of a ``feature_names`` entry: a JSON list, or names parted by commas."""
    try:
        names = json.loads(text)
    except ValueError:
        names = [part.strip() for part in text.split(",")]
    if isinstance(names, list) and names and all(isinstance(name, str) and name for name in names):
        return tuple(names) if len(set(names)) == len(names) else ()
    return ()


def _model_class(nodes: Sequence[Node]) -> str:
    operators = {node.operator for node in nodes}
    found = next((operator for operator in _TELLING_OPERATORS if operator in operators), "Graph")
    return "NeuralNetwork" if found in _NETWORK_OPERATORS else found


def _accepts_missing(nodes: Sequence[Node]) -> bool:
    """Tell whether the graph replaces missing values, or its trees say which branch they take."""
    for node in nodes:
        if node.operator == "Imputer":
            return True
        tracks = node.attribute("nodes_missing_value_tracks_true")
        if any(any(part.integers()) for part in tracks if part.number == _ATTRIBUTE_INTS):
            return True
    return False
