"""Files made to harm: each is refused with a reason, and the caller is none the worse."""

import gzip
import io
import os
import time
import zipfile
from pathlib import Path

import pytest
from onnx.helper import make_node

from tests.zementis.inference import onnx_files, pmml_files, samples
from zementis.inference import Format, InvalidModel, Limits, inspect
from zementis.inference.limits import MEGABYTE

XML, ONNX = "Invalid XML format.", "Invalid onnx format."
DOCTYPE = (XML, "The file declares a document type (DOCTYPE), which is not accepted.")


def refusal(data: bytes | Path, *, kind: Format = "PMML", limits: Limits | None = None) -> tuple[str, ...]:
    """Give the errors an inspection ends with."""
    with pytest.raises(InvalidModel) as error:
        inspect(data, format=kind, limits=limits)
    return error.value.errors


def test_an_entity_bomb_is_refused() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE PMML [<!ENTITY e0 "ha">{entities}]><PMML>&e11;</PMML>'.encode()
    assert refusal(bomb) == DOCTYPE


def test_an_external_entity_is_refused() -> None:
    file = b'<!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/passwd">]><PMML><Header copyright="&x;"/></PMML>'
    assert refusal(file) == DOCTYPE


def test_a_document_type_behind_a_long_comment_is_refused() -> None:
    assert refusal(b"<!--" + b"-x" * 100_000 + b"--><!DOCTYPE PMML SYSTEM 'http://127.0.0.1:1/x'><PMML/>") == DOCTYPE


def test_a_document_type_in_utf_16_is_refused() -> None:
    file = '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE PMML [<!ENTITY x "y">]><PMML>&x;</PMML>'
    assert refusal(file.encode("utf-16")) == DOCTYPE


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_pmml_file_is_refused(share: float) -> None:
    whole = samples.source("isolation_forest")
    errors = refusal(whole[: int(len(whole) * share)])
    assert (errors[0], errors[1].startswith("The file is not well-formed:")) == (XML, True)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_onnx_file_is_refused(share: float) -> None:
    whole = samples.source("onnx_random_forest_regression")
    assert refusal(whole[: int(len(whole) * share)], kind="ONNX") == (
        ONNX,
        "The file is not an ONNX model: a field is longer than the file.",
    )


def test_a_300_mb_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "forest.pmml"
    with path.open("wb") as file:
        file.truncate(300 * MEGABYTE)
    assert refusal(path) == ("The model file is larger than 64 MB.",)


def test_a_300_mb_tree_in_a_small_gzip_is_refused() -> None:
    node = b'<Node score="1"><SimplePredicate field="a" operator="lessOrEqual" value="1"/></Node>'
    packed = gzip.compress(b"<PMML>" + node * (300 * MEGABYTE // len(node)), compresslevel=1)
    assert refusal(packed) == ("The model file is larger than 64 MB.",)


def test_a_zip_bomb_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("x", "w") as file:
        for _ in range(300):
            file.write(bytes(MEGABYTE))
    assert refusal(packed.getvalue()) == ("The model file is larger than 64 MB.",)


def test_a_file_of_millions_of_tags_is_refused_before_it_is_parsed() -> None:
    assert refusal(b"<PMML>" + b"<a/>" * 4_000_000 + b"</PMML>") == (XML, "The file has more than 4000000 tags.")


def test_a_deeply_nested_file_is_refused() -> None:
    file = b"<PMML>" + b"<Node>" * 100_000 + b"</Node>" * 100_000 + b"</PMML>"
    assert refusal(file) == (XML, "Elements are nested deeper than 400.")


def test_a_file_beyond_the_memory_limit_is_refused() -> None:
    file = pmml_files.document("<Extension>" + '<a b="c"/>' * 1_500_000 + "</Extension>")
    errors = refusal(file, limits=Limits(memory_bytes=300 * MEGABYTE))
    assert errors == (XML, "The model needs more than 300 MB to load.")


def test_a_model_that_outlasts_the_wall_time_is_refused_and_nothing_is_left_running() -> None:
    before = children()
    errors = refusal(samples.source("isolation_forest"), limits=Limits(wall_seconds=0.2))
    assert (errors, children()) == ((XML, "Checking the file took longer than 0.2 seconds."), before)


def test_a_derived_field_that_refers_to_itself_is_refused() -> None:
    mutual = "".join(
        f'<DerivedField name="{name}" optype="continuous" dataType="double"><FieldRef field="{other}"/></DerivedField>'
        for name, other in (("p", "q"), ("q", "p"))
    )
    nodes = pmml_files.split("1", "2", field="p")
    model = pmml_files.tree(nodes, output=f"<LocalTransformations>{mutual}</LocalTransformations>")
    assert refusal(pmml_files.document(model))[0] == XML


def test_an_onnx_model_with_weights_in_another_file_is_refused() -> None:
    assert refusal(onnx_files.external().SerializeToString(), kind="ONNX") == (
        ONNX,
        "The model keeps tensors in other files; save it as one file.",
    )


def test_an_onnx_model_with_foreign_operators_is_refused() -> None:
    node = make_node("Boom", ["x"], ["y"], domain="com.example")
    assert refusal(onnx_files.model([node], domains=["com.example"]).SerializeToString(), kind="ONNX") == (
        ONNX,
        "The operator Boom is of the set 'com.example', which is not supported.",
    )


def test_an_onnx_model_that_asks_for_800_gb_is_refused() -> None:
    errors = refusal(onnx_files.hungry().SerializeToString(), kind="ONNX")
    assert (errors[0], len(errors)) == (ONNX, 2)


def test_an_endless_onnx_model_is_refused_when_its_processor_time_is_up() -> None:
    started = time.monotonic()
    errors = refusal(onnx_files.endless().SerializeToString(), kind="ONNX", limits=Limits(cpu_seconds=2))
    assert errors == (ONNX, "Checking the file took more than 2 seconds of processor time.")
    assert time.monotonic() - started < 60


def test_an_onnx_model_of_graphs_within_graphs_is_refused() -> None:
    assert refusal(onnx_files.nested(18).SerializeToString(), kind="ONNX") == (
        ONNX,
        "Graphs are nested too deeply.",
    )


@pytest.mark.parametrize("kind", ["PMML", "ONNX"])
def test_an_empty_file_is_refused(kind: Format) -> None:
    assert refusal(b"", kind=kind) == (ONNX if kind == "ONNX" else XML, "The file is empty.")


@pytest.mark.parametrize(
    "data",
    [b"\x00" * 1000, b"hello", os.urandom(4096), b"<html/>", b"\xff\xfe<"],
    # Of noise no name is made: all processes that run the tests have to find the same names.
    ids=["zeros", "hello", "noise", "page", "cut"],
)
@pytest.mark.parametrize("kind", ["PMML", "ONNX"])
def test_rubbish_is_refused(data: bytes, kind: Format) -> None:
    assert refusal(data, kind=kind)[0] == (ONNX if kind == "ONNX" else XML)


def test_an_inspection_gets_nothing_of_the_callers_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # JAVA_TOOL_OPTIONS would be obeyed by Java; reaching it would show as a file.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Xlog:gc:file={tmp_path / 'seen.log'}")
    inspect(samples.source("linear_regression"), format="PMML")
    assert list(tmp_path.iterdir()) == []


def children() -> set[int]:
    """Give the ids of this process's children and of Java processes among their descendants."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() or b"zementis.inference.inspector" in command:
            found.add(int(entry.name))
    return found
