"""What is known of a model after it was inspected."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Format = Literal["PMML", "ONNX"]
Engine = Literal["trees", "pypmml", "onnxruntime"]


@dataclass(frozen=True)
class Field:
    """One input or output. ``type`` is DOUBLE, FLOAT, INTEGER, STRING, BOOLEAN or another PMML type in capitals."""

    name: str
    type: str
    usage: str


@dataclass(frozen=True)
class ModelDescription:
    """The answer of an inspection; plain values only, so that it survives JSON unchanged."""

    name: str | None
    """PMML ``modelName`` of the model element, None where the file gives none."""
    description: str
    format: Format
    model_class: str
    """PMML model element (MiningModel, RegressionModel, …) or the ONNX operator that does the work."""
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
    accepts_missing: bool
    """True where the file itself says what to do with a missing value of every input."""
    engine: Engine
    engine_reason: str
    """One sentence on why this engine runs the model."""
    creation_date: datetime.date | None
    """Date of the PMML header's time stamp."""

    def to_json(self) -> dict[str, Any]:
        """Give a JSON-ready dict; the date as ISO-8601."""
        values = asdict(self)
        values["creation_date"] = self.creation_date.isoformat() if self.creation_date else None
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelDescription:
        """Undo `to_json`."""
        rest = dict(values)
        created = rest["creation_date"]
        rest["creation_date"] = datetime.date.fromisoformat(created) if created else None
        rest["inputs"] = tuple(Field(**field) for field in rest["inputs"])
        rest["outputs"] = tuple(Field(**field) for field in rest["outputs"])
        return cls(**rest)
