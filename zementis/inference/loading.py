"""Load a model for scoring: which engine, and nothing else."""

from __future__ import annotations

from zementis.inference.archive import unpack
from zementis.inference.description import Engine, Format
from zementis.inference.errors import InvalidModel
from zementis.inference.limits import Limits
from zementis.inference.scorer import Scorer


def load(source: bytes, *, format: Format, engine: Engine | None = None) -> Scorer:  # noqa: A002  # the field's word
    """Load a model that `inspect` has accepted, with the engine its description names.

    ``source`` may be packed as it was uploaded. Without ``engine``, a PMML file whose trees can be compiled runs
    compiled; that skips the comparison with pypmml which the inspection makes.
    Raises InvalidModel (not such a model) and ScoringError (Java did not start).
    """
    limits = Limits()
    data = unpack(source, limits=limits)
    if format == "ONNX":
        from zementis.inference import onnx, onnx_graph

        return onnx.OnnxScorer(onnx_graph.read(data))
    from zementis.inference import pmml, pypmml
    from zementis.inference.expressions import NotCompilable
    from zementis.inference.trees import TreeScorer

    document = pmml.read(data, limits=limits)
    if engine != "pypmml":
        try:
            return TreeScorer(document)
        except NotCompilable as error:
            if engine == "trees":
                raise InvalidModel(f"The model's trees cannot be compiled: {error}.") from error
    return pypmml.PypmmlScorer(document)
