"""Write a forest as an ONNX file with one `TreeEnsemble` operator (ai.onnx.ml 5) in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from zementis.inference.protobuf import encode, encode_packed
from zementis.inference.tree_nodes import Forest

INPUT, OUTPUT = "rows", "targets"
_INT, _TENSOR, _INTS = 2, 4, 7
_UINT8, _DOUBLE = 2, 11
_SUM = 1
_IR_VERSION, _OPSET, _ML_OPSET = 8, 18, 5


def write(forest: Forest) -> bytes:
    """Give the file: input ``rows`` [None, features], output ``targets`` [None, forest.targets], both double."""
    attributes = [
        _integer("aggregate_function", _SUM),
        _integer("n_targets", forest.targets),
        _integer("post_transform", 0),
        _integers("tree_roots", forest.roots),
        _integers("nodes_featureids", forest.node_features),
        _tensor("nodes_modes", np.asarray(forest.node_modes, dtype=np.uint8), _UINT8),
        _tensor("nodes_splits", np.asarray(forest.node_splits, dtype="<f8"), _DOUBLE),
        _integers("nodes_missing_value_tracks_true", forest.node_missing_true),
        _integers("nodes_truenodeids", forest.node_true),
        _integers("nodes_falsenodeids", forest.node_false),
        _integers("nodes_trueleafs", forest.node_true_leaf),
        _integers("nodes_falseleafs", forest.node_false_leaf),
        _integers("leaf_targetids", forest.leaf_targets),
        _tensor("leaf_weights", np.asarray(forest.leaf_weights, dtype="<f8"), _DOUBLE),
    ]
    node = b"".join(
        [
            encode(1, INPUT),
            encode(2, OUTPUT),
            encode(4, "TreeEnsemble"),
            *(encode(5, attribute) for attribute in attributes),
            encode(7, "ai.onnx.ml"),
        ]
    )
    graph = b"".join(
        [
            encode(1, node),
            encode(2, "trees"),
            encode(11, _matrix(INPUT, len(forest.features))),
            encode(12, _matrix(OUTPUT, forest.targets)),
        ]
    )
    return b"".join(
        [
            encode(1, _IR_VERSION),
            encode(7, graph),
            encode(8, encode(1, "") + encode(2, _OPSET)),
            encode(8, encode(1, "ai.onnx.ml") + encode(2, _ML_OPSET)),
        ]
    )


def _integer(name: str, value: int) -> bytes:
    return encode(1, name) + encode(3, value) + encode(20, _INT)


def _integers(name: str, values: list[int]) -> bytes:
    return encode(1, name) + encode_packed(8, np.asarray(values, dtype=np.int64)) + encode(20, _INTS)


def _tensor(name: str, values: np.ndarray[Any, np.dtype[Any]], kind: int) -> bytes:
    tensor = encode(1, len(values)) + encode(2, kind) + encode(8, name) + encode(9, values.tobytes())
    return encode(1, name) + encode(5, tensor) + encode(20, _TENSOR)


def _matrix(name: str, width: int) -> bytes:
    rows, columns = encode(1, encode(2, "N")), encode(1, encode(1, width))
    return encode(1, name) + encode(2, encode(1, encode(1, _DOUBLE) + encode(2, rows + columns)))
