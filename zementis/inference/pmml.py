"""Read what a PMML file says of itself: fields, missing values, date."""

from __future__ import annotations

import datetime
import re
import struct
from dataclasses import dataclass
from xml.etree.ElementTree import Element  # a type only; xml.py parses  # nosec B405

from zementis.inference import xml
from zementis.inference.description import Field
from zementis.inference.errors import INVALID_XML, InvalidModel
from zementis.inference.limits import Limits

MODEL_CLASSES = frozenset(
    {
        "AnomalyDetectionModel",
        "AssociationModel",
        "BaselineModel",
        "BayesianNetworkModel",
        "ClusteringModel",
        "GaussianProcessModel",
        "GeneralRegressionModel",
        "MiningModel",
        "NaiveBayesModel",
        "NearestNeighborModel",
        "NeuralNetwork",
        "RegressionModel",
        "RuleSetModel",
        "Scorecard",
        "SequenceModel",
        "SupportVectorMachineModel",
        "TextModel",
        "TimeSeriesModel",
        "TreeModel",
    }
)
DEFAULT_NAMESPACE = "http://www.dmg.org/PMML-4_4"
# Strategies of TreeModel that carry a row with a missing value on to a prediction of its own. "none" leaves it open
# and "nullPrediction" gives none, so neither is a declared treatment.
_MISSING_VALUE_STRATEGIES = frozenset({"lastPrediction", "defaultChild", "weightedConfidence", "aggregateNodes"})
_INPUT_USAGES = frozenset({"active"})
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_SINGLE = struct.Struct("<f")
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,17})?")
_WRITTEN_DATES = ("%a %b %d %H:%M:%S %Y", "%m/%d/%y %H:%M:%S", "%b %d, %Y", "%d/%m/%Y")


@dataclass(frozen=True)
class Document:
    """A parsed PMML file with one model."""

    root: Element
    model: Element
    namespace: str
    name: str | None
    description: str
    model_class: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    """The declared Output fields; empty where the file declares none and the engine supplies its own."""
    output_elements: tuple[Element, ...]
    """The elements of those fields."""
    target: str | None
    """Name of the target field, if the model has one."""
    accepts_missing: bool
    creation_date: datetime.date | None

    def text(self) -> str:
        """Give the document for pypmml, with two changes.

        Every Output field of the model counts as a final result: the anomaly scores of the reference's example are
        declared isFinalResult="false", and pypmml would leave them out. And the value a single-precision field is
        compared with is written out as that precision holds it: pypmml compares in double precision, so a row that
        lies on a tree's split would take the other branch than in the estimator.
        """
        for output in self.model.findall("Output/OutputField"):
            output.attrib.pop("isFinalResult", None)
        single = {field.name for field in self.inputs if field.type == "FLOAT"}
        for predicate in self.model.iter("SimplePredicate"):
            if predicate.get("field") in single:
                predicate.set("value", _written_out(predicate.get("value", "")))
        return xml.serialise(self.root, namespace=self.namespace)

    def bounds(self) -> dict[str, list[float]]:
        """Give the numbers the data dictionary mentions for each input: bounds of intervals and listed values."""
        found: dict[str, list[float]] = {}
        for field in self.root.findall("DataDictionary/DataField"):
            texts = [part.get(side) for part in field.findall("Interval") for side in ("leftMargin", "rightMargin")]
            texts += [part.get("value") for part in field.findall("Value")]
            found[field.get("name", "")] = [float(text) for text in texts if text and _NUMBER.fullmatch(text)]
        return found

    def categories(self) -> dict[str, list[str]]:
        """Give the valid values the data dictionary lists for each input."""
        return {
            field.get("name", ""): [
                part.get("value", "") for part in field.findall("Value") if part.get("property", "valid") == "valid"
            ]
            for field in self.root.findall("DataDictionary/DataField")
        }


def read(data: bytes, *, limits: Limits) -> Document:
    """Parse a PMML file (unpacked). Raises InvalidModel."""
    root = xml.parse(data, limits=limits)
    if root.tag != "PMML":
        raise InvalidModel(INVALID_XML, f"The root element is {root.tag}, not PMML.")
    model = _model(root)
    types = {field.get("name", ""): _type(field) for field in root.findall("DataDictionary/DataField")}
    mining_fields = model.findall("MiningSchema/MiningField")
    inputs = tuple(
        Field(name=name, type=_known(types, name), usage="ACTIVE")
        for field in mining_fields
        if field.get("usageType", "active") in _INPUT_USAGES
        for name in [field.get("name", "")]
    )
    targets = [field.get("name", "") for field in mining_fields if field.get("usageType") in {"target", "predicted"}]
    target_type = types.get(targets[0], "DOUBLE") if targets else "DOUBLE"
    output_elements = _outputs(model)
    outputs = tuple(
        Field(name=field.get("name", ""), type=_output_type(field, target_type=target_type), usage="OUTPUT")
        for field in output_elements
    )
    _check_fields(inputs, "input", limits)
    _check_fields(outputs, "output", limits)
    if not inputs:
        raise InvalidModel(INVALID_XML, "The model has no active input field.")
    header = root.find("Header")
    return Document(
        root=root,
        model=model,
        namespace=xml.namespace_of(data) or DEFAULT_NAMESPACE,
        name=model.get("modelName") or None,
        description=(header.get("description", "") if header is not None else ""),
        model_class=model.tag,
        inputs=inputs,
        outputs=outputs,
        output_elements=output_elements,
        target=targets[0] if targets else None,
        accepts_missing=_accepts_missing(model),
        creation_date=_date(root.findtext("Header/Timestamp") or ""),
    )


def _model(root: Element) -> Element:
    models = [child for child in root if child.tag in MODEL_CLASSES]
    if len(models) != 1:
        raise InvalidModel(INVALID_XML, f"The file must hold exactly one model; it holds {len(models)}.")
    if next(models[0].iter("NearestNeighborModel"), None) is not None:
        raise InvalidModel("Nearest-neighbour models (NearestNeighborModel) are not supported.")
    return models[0]


def single_precision(number: float) -> float:
    """Give the nearest number of single precision. Raises OverflowError where it holds none."""
    rounded: float = _SINGLE.unpack(_SINGLE.pack(number))[0]
    return rounded


def _written_out(text: str) -> str:
    """Give a number's nearest single-precision value, written with all its digits; other text as it is."""
    try:
        return repr(single_precision(float(text)))
    except (ValueError, OverflowError):
        return text


def _outputs(model: Element) -> tuple[Element, ...]:
    """Give the declared outputs: the model's own, or where a chain of models has none, those of its last link."""
    declared = tuple(model.findall("Output/OutputField"))
    segmentation = model.find("Segmentation")
    if declared or segmentation is None or segmentation.get("multipleModelMethod") != "modelChain":
        return declared
    links = [child for segment in segmentation.findall("Segment") for child in segment if child.tag in MODEL_CLASSES]
    if not links:
        return ()
    return tuple(field for field in _outputs(links[-1]) if field.get("isFinalResult", "true") != "false")


def _known(types: dict[str, str], name: str) -> str:
    if name not in types:
        raise InvalidModel(INVALID_XML, f"The input field '{name}' is not in the data dictionary.")
    return types[name]


def _type(field: Element) -> str:
    return field.get("dataType", "double").upper()


def _output_type(field: Element, *, target_type: str) -> str:
    declared = field.get("dataType")
    if declared:
        return declared.upper()
    feature = field.get("feature", "predictedValue")
    if feature == "predictedValue":
        return target_type
    return "STRING" if feature in {"predictedDisplayValue", "entityId", "clusterId", "reasonCode"} else "DOUBLE"


def _check_fields(fields: tuple[Field, ...], word: str, limits: Limits) -> None:
    if len(fields) > limits.fields:
        raise InvalidModel(INVALID_XML, f"The model has more than {limits.fields} {word} fields.")
    names = [field.name for field in fields]
    if "" in names:
        raise InvalidModel(INVALID_XML, f"An {word} field has no name.")
    doubles = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) != len(names) else []
    if doubles:
        raise InvalidModel(INVALID_XML, f"The {word} field '{doubles[0]}' is declared twice.")


def _accepts_missing(model: Element) -> bool:
    """Tell whether the file itself says what to do with a missing value of every input."""
    active = [
        field
        for field in model.findall("MiningSchema/MiningField")
        if field.get("usageType", "active") in _INPUT_USAGES
    ]
    if active and all(field.get("missingValueReplacement") is not None for field in active):
        return True
    if model.tag == "TreeModel":
        return model.get("missingValueStrategy") in _MISSING_VALUE_STRATEGIES
    if model.tag == "MiningModel":
        nested = [child for segment in model.findall("Segmentation/Segment") for child in segment]
        models = [child for child in nested if child.tag in MODEL_CLASSES]
        return bool(models) and all(_accepts_missing(child) for child in models)
    return False


def _date(text: str) -> datetime.date | None:
    """Give the date of a Timestamp element, whose form PMML leaves open; None where it cannot be told."""
    stamp = text.strip()
    found = _DATE.match(stamp)
    if found:
        try:
            return datetime.date(*(int(part) for part in found.groups()))
        except ValueError:
            return None
    for form in _WRITTEN_DATES:
        try:
            return datetime.datetime.strptime(stamp, form).date()  # noqa: DTZ007  # only the date is wanted
        except ValueError:
            continue
    return None
