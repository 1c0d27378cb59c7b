"""Tables of the Zementis surface. One module a noun; import them from here."""

from zementis.models.inference_page import InferencePage
from zementis.models.managed_object import ChildReference, ManagedObject
from zementis.models.measurement import DeviceLayout, Measurement, MeasurementBlock, SeriesLayout
from zementis.models.scoring_model import ModelSource, ModelVersion, ScoringModel

__all__ = [
    "ChildReference",
    "DeviceLayout",
    "InferencePage",
    "ManagedObject",
    "Measurement",
    "MeasurementBlock",
    "ModelSource",
    "ModelVersion",
    "ScoringModel",
    "SeriesLayout",
]
