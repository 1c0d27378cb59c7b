"""Model files: inspect them safely, load them, score columns of numbers with them.

Cheap to import: no engine and no NumPy is imported before `inspect`, `load` or a scorer is called, because the web
process imports this package and never scores.
"""

from __future__ import annotations

from zementis.inference import cache
from zementis.inference.archive import unpack
from zementis.inference.description import Engine, Field, Format, ModelDescription
from zementis.inference.errors import InvalidModel, ScoringError
from zementis.inference.inspection import inspect
from zementis.inference.limits import Limits
from zementis.inference.loading import load
from zementis.inference.scorer import Scorer

__all__ = [
    "Engine",
    "Field",
    "Format",
    "InvalidModel",
    "Limits",
    "ModelDescription",
    "Scorer",
    "ScoringError",
    "cache",
    "inspect",
    "load",
    "unpack",
]
