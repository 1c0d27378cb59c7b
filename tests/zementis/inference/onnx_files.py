"""Write small ONNX files, good and bad, with the `onnx` package itself."""

from collections.abc import Sequence
from typing import Any

from onnx import ModelProto, NodeProto, TensorProto, helper

FLOAT, DOUBLE, INT64, STRING, BOOL = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.STRING,
    TensorProto.BOOL,
)
Shape = Sequence[int | str | None]


def model(
    nodes: Sequence[NodeProto],
    *,
    inputs: Sequence[tuple[str, int, Shape]] = (("x", FLOAT, (None, 2)),),
    outputs: Sequence[tuple[str, int, Shape]] = (("y", FLOAT, (None, 1)),),
    initializers: Sequence[TensorProto] = (),
    metadata: dict[str, str] | None = None,
    domains: Sequence[str] = (),
) -> ModelProto:
    """Give a model of the nodes."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(*entry) for entry in inputs],
        [helper.make_tensor_value_info(*entry) for entry in outputs],
        list(initializers),
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    opsets += [helper.make_opsetid(domain, 1) for domain in domains]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if metadata:
        helper.set_model_props(made, metadata)
    return made


def row_sums(**options: Any) -> ModelProto:
    """Give a model whose output is the sum of each row."""
    axes = helper.make_tensor("axes", INT64, [1], [1])
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=1)
    return model([node], initializers=[axes], **options)


def external() -> ModelProto:
    """Give a model whose weights lie in another file."""
    weights = TensorProto(name="w", data_type=FLOAT, dims=[2, 1], data_location=TensorProto.EXTERNAL)
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], initializers=[weights])


def hungry() -> ModelProto:
    """Give a model of a few bytes that asks for 800 GB."""
    size = helper.make_tensor("size", INT64, [1], [200_000_000_000])
    axes = helper.make_tensor("axes", INT64, [1], [0])
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["big"]),
        helper.make_node("ReduceSum", ["big", "axes"], ["sum"], keepdims=1),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    return model(nodes, initializers=[size, axes], outputs=[("y", FLOAT, (None, 2))])


def endless() -> ModelProto:
    """Give a model that loops 2^62 times."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Sin", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", INT64, []),
            helper.make_tensor_value_info("go", BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, [None, 2]),
        ],
        [
            helper.make_tensor_value_info("go_on", BOOL, []),
            helper.make_tensor_value_info("next", FLOAT, [None, 2]),
        ],
    )
    turns = helper.make_tensor("turns", INT64, [], [2**62])
    go = helper.make_tensor("start", BOOL, [], [True])
    node = helper.make_node("Loop", ["turns", "start", "x"], ["y"], body=body)
    return model([node], initializers=[turns, go], outputs=[("y", FLOAT, (None, 2))])


def nested(depth: int) -> ModelProto:
    """Give a model of conditions within conditions."""
    condition = helper.make_tensor("yes", BOOL, [], [True])
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["out0"])], "g0", [], [helper.make_tensor_value_info("out0", FLOAT, None)]
    )
    for level in range(1, depth):
        node = helper.make_node("If", ["yes"], [f"out{level}"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([node], f"g{level}", [], [helper.make_tensor_value_info(f"out{level}", FLOAT, None)])
        # Only one branch grows; the other stays small, else the file would double with each level.
        inner.node[0].attribute[1].g.CopyFrom(
            helper.make_graph(
                [helper.make_node("Identity", ["x"], ["o"])], "e", [], [helper.make_tensor_value_info("o", FLOAT, None)]
            )
        )
    top = helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
    top.attribute[1].g.CopyFrom(inner)
    return model([top], initializers=[condition], outputs=[("y", FLOAT, (None, 2))])
