"""The wire format, against the `onnx` package's own reader and writer."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zementis.inference import samples
from zementis.inference import InvalidModel, onnx_graph
from zementis.inference.protobuf import WireError, encode, encode_packed, fields


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = b"".join(bytes(field.raw) for field in fields(data))
    except WireError:
        return
    assert read == data


@given(st.binary(max_size=120), st.integers(0, 700))
def test_a_damaged_model_is_read_or_refused(noise: bytes, place: int) -> None:
    whole = samples.source("onnx_logistic_regression")
    try:
        onnx_graph.read(whole[:place] + noise + whole[place + len(noise) :])
    except InvalidModel as error:
        assert error.errors[0] == "Invalid onnx format."


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_numbers_survive(values: list[int]) -> None:
    (field,) = fields(encode_packed(8, np.array(values, dtype=np.int64)))
    assert (field.number, field.integers()) == (8, values)


def test_what_is_written_is_what_the_onnx_package_reads() -> None:
    data = encode(1, 8) + encode(2, "maker") + encode(5, -3)
    made = onnx.ModelProto.FromString(data)
    assert (made.ir_version, made.producer_name, made.model_version) == (8, "maker", -3)


@pytest.mark.parametrize("data", [b"\x80" * 11, b"\x0a\xff", b"\x00\x01", b"\x0b", b"\x09\x01"])
def test_broken_fields_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        list(fields(data))


def test_the_file_with_its_map_cut_off_is_a_valid_model() -> None:
    graph = onnx_graph.read(samples.source("onnx_logistic_regression"))
    made = onnx.ModelProto.FromString(graph.content)
    onnx.checker.check_model(made)
    assert [node.op_type for node in made.graph.node if node.op_type == "ZipMap"] == []


def test_the_compiled_forest_is_a_valid_model() -> None:
    from zementis.inference import Limits, pmml, tree_operator, tree_program

    document = pmml.read(samples.source("isolation_forest"), limits=Limits())
    made = onnx.ModelProto.FromString(tree_operator.write(tree_program.compile_document(document).forest))
    onnx.checker.check_model(made)
    assert [(node.domain, node.op_type) for node in made.graph.node] == [("ai.onnx.ml", "TreeEnsemble")]
