"""What is read from a PMML file without an engine."""

import datetime

import pytest

from tests.zementis.inference import pmml_files, samples
from tests.zementis.inference.pmml_files import document, regression, schema, split, tree
from zementis.inference import Field, InvalidModel, Limits, load, pmml


def read(data: bytes) -> pmml.Document:
    """Read a file."""
    return pmml.read(data, limits=Limits())


def refusal(data: bytes) -> tuple[str, ...]:
    """Give the errors a file is refused with."""
    with pytest.raises(InvalidModel) as error:
        read(data)
    return error.value.errors


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-11-22T11:42:14Z", datetime.date(2026, 11, 22)),
        ("2011-09-29 12:00:14.797109", datetime.date(2011, 9, 29)),
        ("Thu Sep 29 10:11:12 2011", datetime.date(2011, 9, 29)),
        (" Sep 29, 2011 ", datetime.date(2011, 9, 29)),
        ("2026-13-45", None),
        ("last Tuesday", None),
        ("", None),
    ],
)
def test_the_creation_date_is_the_headers_time_stamp(stamp: str, expected: datetime.date | None) -> None:
    assert read(regression(head=f"<Timestamp>{stamp}</Timestamp>")).creation_date == expected


def test_inputs_are_the_active_fields_in_their_order() -> None:
    mining = (
        '<MiningSchema><MiningField name="b"/><MiningField name="y" usageType="predicted"/>'
        '<MiningField name="a" usageType="active"/></MiningSchema>'
    )
    assert read(regression(mining=mining)).inputs == (Field("b", "DOUBLE", "ACTIVE"), Field("a", "DOUBLE", "ACTIVE"))


def test_supplementary_fields_are_no_inputs() -> None:
    mining = '<MiningSchema><MiningField name="a"/><MiningField name="b" usageType="supplementary"/></MiningSchema>'
    assert read(regression(mining=mining)).inputs == (Field("a", "DOUBLE", "ACTIVE"),)


def test_a_model_without_a_name_has_none() -> None:
    assert read(regression()).name is None


def test_a_chain_without_outputs_has_those_of_its_last_link() -> None:
    outputs = read(samples.source("gradient_boosting_binary")).outputs
    assert [field.name for field in outputs] == ["probability(0)", "probability(1)"]


def test_outputs_of_a_file_without_any_are_the_engines() -> None:
    for engine in ("trees", "pypmml"):
        scorer = load(document(tree(split("1", "2"))), format="PMML", engine=engine)
        assert scorer.outputs == (Field("predicted_y", "DOUBLE", "OUTPUT"),)


@pytest.mark.parametrize(
    ("mining", "nodes", "expected"),
    [
        (schema(), "", False),
        (schema(attributes='missingValueReplacement="0"'), "", True),
        (schema(), 'missingValueStrategy="defaultChild"', True),
        (schema(), 'missingValueStrategy="lastPrediction"', True),
        (schema(), 'missingValueStrategy="nullPrediction"', False),
        (schema(), 'missingValueStrategy="none"', False),
    ],
)
def test_missing_values_need_a_declared_treatment(mining: str, nodes: str, expected: bool) -> None:
    assert read(document(tree(split("1", "2"), mining=mining, attributes=nodes))).accepts_missing is expected


def test_one_input_without_a_replacement_is_enough_to_refuse_incomplete_rows() -> None:
    mining = '<MiningSchema><MiningField name="a" missingValueReplacement="0"/><MiningField name="b"/></MiningSchema>'
    assert read(regression(mining=mining)).accepts_missing is False


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document(""), "The file must hold exactly one model; it holds 0."),
        (document(tree("") + tree("")), "The file must hold exactly one model; it holds 2."),
        (document(tree("", mining=schema(("z",)))), "The input field 'z' is not in the data dictionary."),
        (document(tree("", mining=schema(("a", "a")))), "The input field 'a' is declared twice."),
        (document(tree("", mining=schema(()))), "The model has no active input field."),
        (document(tree("", output="<Output><OutputField/></Output>")), "An output field has no name."),
        (b"<PMML/>", "The file must hold exactly one model; it holds 0."),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(data: bytes, reason: str) -> None:
    assert refusal(data) == ("Invalid XML format.", reason)


def test_a_nearest_neighbour_model_inside_another_is_refused() -> None:
    segment = "<Segment><True/><NearestNeighborModel/></Segment>"
    inside = f'<Segmentation multipleModelMethod="sum">{segment}</Segmentation>'
    assert refusal(document(f'<MiningModel functionName="regression">{schema()}{inside}</MiningModel>')) == (
        "Nearest-neighbour models (NearestNeighborModel) are not supported.",
    )


def test_other_encodings_and_namespaces_are_read() -> None:
    text = pmml_files.regression(attributes='modelName="Wärme"').decode()
    latin = text.replace("UTF-8", "ISO-8859-1").replace("PMML-4_4", "PMML-4_2").encode("latin-1")
    assert (read(latin).name, read(latin).namespace) == ("Wärme", "http://www.dmg.org/PMML-4_2")
    assert load(latin, format="PMML").inputs == read(latin).inputs
    wide = text.replace("UTF-8", "UTF-16").encode("utf-16")
    assert read(wide).name == "Wärme"


def test_prefixed_elements_are_read() -> None:
    prefixed = regression().replace(b"xmlns=", b"xmlns:p=").replace(b"</", b"</p:").replace(b"<", b"<p:")
    prefixed = prefixed.replace(b"<p:/p:", b"</p:").replace(b"<p:?xml", b"<?xml")
    assert load(prefixed, format="PMML").inputs == read(regression()).inputs
