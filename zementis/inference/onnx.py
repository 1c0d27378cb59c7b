"""ONNX models, through onnxruntime on one thread of the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zementis.inference import columns as input_columns
from zementis.inference import onnx_graph
from zementis.inference.description import Engine, Field
from zementis.inference.errors import INVALID_ONNX, InvalidModel, ScoringError

if TYPE_CHECKING:
    import onnxruntime

    from zementis.inference.scorer import Column, Columns

CHUNK_ROWS = 65_536
_INPUT_TYPES = {
    "tensor(double)": ("DOUBLE", np.float64),
    "tensor(float)": ("FLOAT", np.float32),
    "tensor(int64)": ("INTEGER", np.int64),
    "tensor(int32)": ("INTEGER", np.int32),
    "tensor(bool)": ("BOOLEAN", np.bool_),
    "tensor(string)": ("STRING", np.object_),
}
_OUTPUT_TYPES = {
    "tensor(double)": "DOUBLE",
    "tensor(float)": "FLOAT",
    "tensor(int64)": "INTEGER",
    "tensor(int32)": "INTEGER",
    "tensor(bool)": "BOOLEAN",
    "tensor(string)": "STRING",
}
MAX_WIDTH = 4_096


def session(content: bytes) -> onnxruntime.InferenceSession:
    """Give a session of this process on one thread. Raises whatever onnxruntime raises."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Only fatal errors: the rest is raised as well, and the log is not the place for a stranger's file.
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True)
class _Input:
    """One input tensor of the graph and the columns that fill it."""

    name: str
    dtype: Any
    width: int
    flat: bool
    """True where the tensor has one dimension, the rows."""


@dataclass(frozen=True)
class _Output:
    """One output tensor of the graph and the names of its columns."""

    name: str
    columns: tuple[str, ...]


class OnnxScorer:
    """An onnxruntime session and the mapping between its tensors and columns."""

    engine: Engine = "onnxruntime"

    def __init__(self, graph: onnx_graph.Graph) -> None:
        """Load the model. Raises InvalidModel."""
        try:
            self._session = session(graph.content)
        except Exception as error:  # onnxruntime's exceptions have no common base but this
            raise InvalidModel(INVALID_ONNX, f"onnxruntime cannot load the model: {first_line(error)}.") from error
        self.accepts_missing = graph.accepts_missing
        self.size_bytes = 2 * len(graph.content)
        self._inputs: list[_Input] = []
        self._batch: int | None = None
        self.inputs = self._describe_inputs(graph)
        self._outputs: list[_Output] = []
        self.words: dict[str, tuple[str, ...]] = {}
        self.outputs = self._describe_outputs(graph)

    def score(self, columns: Columns) -> dict[str, Column]:
        """Score rows; see `Scorer.score`."""
        answers = self.coded(columns)
        for name, words in self.words.items():
            answers[name] = np.array(words, dtype=object)[answers[name]]
        return answers

    def coded(self, columns: Columns) -> dict[str, Column]:
        """Score rows; see `Scorer.coded`."""
        parts = self._scored_at_once(columns)
        if parts is None:
            parts = self._scored_checked(columns)
        types = {field.name: "INTEGER" if field.name in self.words else field.type for field in self.outputs}
        names = [name for output in self._outputs for name in output.columns]
        if not parts:
            return {name: _typed(np.empty(0), types[name]) for name in names}
        joined = parts[0] if len(parts) == 1 else [np.concatenate(column) for column in zip(*parts, strict=True)]
        answers = {name: _typed(column, types[name]) for name, column in zip(names, joined, strict=True)}
        for name, words in self.words.items():
            places = answers[name]
            # Where no class is above the others, as among numbers that are none, the operator looks up nonsense.
            if len(places) and not (places.min() >= 0 and places.max() < len(words)):
                raise ScoringError(f"Output '{name}' is none of the model's classes.", retryable=False)
        return answers

    def _scored_at_once(self, columns: Columns) -> list[list[Column]] | None:
        """Score complete rows of plain numbers, which are looked at where the engine gets them; None for all others."""
        if self._batch is not None or any(field.type not in {"DOUBLE", "FLOAT"} for field in self.inputs):
            return None
        given = [columns.get(field.name) for field in self.inputs]
        plain = [column for column in given if column is not None and column.dtype == np.float64 and column.ndim == 1]
        if len(plain) < len(given) or len({len(column) for column in plain}) > 1:
            return None
        parts: list[list[Column]] = []
        for start in range(0, len(plain[0]), CHUNK_ROWS):
            with np.errstate(over="ignore", invalid="ignore"):
                feed = self._feed([column[start : start + CHUNK_ROWS] for column in plain])
                finite = all(np.isfinite(block.sum()) or np.isfinite(block).all() for block in feed.values())
            if not finite:
                return None
            parts.append(self._run(feed, len(plain[0][start : start + CHUNK_ROWS])))
        return parts

    def _scored_checked(self, columns: Columns) -> list[list[Column]]:
        checked = input_columns.check(columns, self.inputs, accepts_missing=self.accepts_missing)
        for column, field in zip(checked, self.inputs, strict=True):
            if field.type in {"INTEGER", "BOOLEAN"} and np.isnan(column).any():
                raise ScoringError(f"Input '{field.name}' of an ONNX model cannot be missing.", retryable=False)
        step = self._batch or CHUNK_ROWS
        parts: list[list[Column]] = []
        for start in range(0, len(checked[0]), step):
            chunk = [column[start : start + step] for column in checked]
            parts.append(self._run(self._feed(chunk), len(chunk[0])))
        return parts

    def close(self) -> None:
        """Free the session."""
        del self._session

    def _feed(self, chunk: Sequence[Column]) -> dict[str, Any]:
        """Give the tensors that the columns fill."""
        count = len(chunk[0])
        padding = (self._batch or count) - count
        feed: dict[str, Any] = {}
        place = 0
        for tensor in self._inputs:
            parts = chunk[place : place + tensor.width]
            place += tensor.width
            block = np.empty((count + padding, tensor.width), dtype=tensor.dtype)
            for index, part in enumerate(parts):
                block[:count, index] = part
                if padding:
                    # A graph with a fixed number of rows takes no fewer; what it says of the copies is thrown away.
                    block[count:, index] = part[-1:]
            feed[tensor.name] = block[:, 0] if tensor.flat else block
        return feed

    def _run(self, feed: Mapping[str, Any], count: int) -> list[Column]:
        padding = (self._batch or count) - count
        try:
            answers = self._session.run([output.name for output in self._outputs], feed)
        except MemoryError:
            raise
        except Exception as error:  # as above
            raise ScoringError(f"onnxruntime cannot score the rows: {first_line(error)}.", retryable=False) from error
        columns: list[Column] = []
        for output, answer in zip(self._outputs, answers, strict=True):
            matrix = np.asarray(answer)
            if matrix.size != (count + padding) * len(output.columns):
                raise ScoringError(f"Output '{output.name}' does not have one value per row.", retryable=False)
            matrix = matrix.reshape(count + padding, len(output.columns))
            columns.extend(matrix[:count, index] for index in range(len(output.columns)))
        return columns

    def _describe_inputs(self, graph: onnx_graph.Graph) -> tuple[Field, ...]:
        described: list[Field] = []
        tensors = self._session.get_inputs()
        for tensor in tensors:
            if tensor.type not in _INPUT_TYPES:
                raise InvalidModel(INVALID_ONNX, f"Input '{tensor.name}' is of type {tensor.type}, not supported.")
            kind, dtype = _INPUT_TYPES[tensor.type]
            flat, width = _input_shape(tensor.name, tensor.shape)
            if tensor.shape and isinstance(tensor.shape[0], int) and tensor.shape[0] > 0:
                self._batch = tensor.shape[0]
            names: Sequence[str] = [f"{tensor.name}[{index}]" for index in range(width)]
            if flat or (width == 1 and len(tensors) > 1):
                names = [tensor.name]
            if len(tensors) == 1 and len(graph.feature_names) == width:
                names = graph.feature_names
            described.extend(Field(name=name, type=kind, usage="ACTIVE") for name in names)
            self._inputs.append(_Input(name=tensor.name, dtype=dtype, width=width, flat=flat))
        if not described:
            raise InvalidModel(INVALID_ONNX, "The model has no input.")
        return tuple(described)

    def _describe_outputs(self, graph: onnx_graph.Graph) -> tuple[Field, ...]:
        described: list[Field] = []
        taken: set[str] = set()
        for tensor in self._session.get_outputs():
            if tensor.type not in _OUTPUT_TYPES:
                raise InvalidModel(INVALID_ONNX, f"Output '{tensor.name}' is of type {tensor.type}, not supported.")
            shown = graph.replaced_outputs.get(tensor.name, tensor.name)
            classes = graph.class_names.get(tensor.name)
            if classes:
                names = tuple(f"probability({label})" for label in classes)
                if taken.intersection(names):
                    names = tuple(f"{shown}({label})" for label in classes)
            else:
                width = self._output_width(tensor)
                names = (shown,) if width == 1 else tuple(f"{shown}[{index}]" for index in range(width))
            taken.update(names)
            kind = _OUTPUT_TYPES[tensor.type]
            if tensor.name in graph.words and len(names) == 1:
                kind = "STRING"
                self.words[names[0]] = graph.words[tensor.name]
            described.extend(Field(name=name, type=kind, usage="OUTPUT") for name in names)
            self._outputs.append(_Output(name=tensor.name, columns=names))
        return tuple(described)

    def _output_width(self, tensor: Any) -> int:
        """Give an output's number of values per row, from its shape, or by running one row where that is open."""
        inner = tensor.shape[1:] if tensor.shape else []
        if tensor.shape and all(isinstance(size, int) for size in inner):
            width = int(np.prod(inner, dtype=np.int64))
        else:
            rows = self._batch or 1
            feed = {one.name: _probe(one, rows) for one in self._inputs}
            try:
                answer = np.asarray(self._session.run([tensor.name], feed)[0])
            except Exception as error:  # as above
                raise InvalidModel(INVALID_ONNX, f"onnxruntime cannot run the model: {first_line(error)}.") from error
            width = answer.size // rows if answer.ndim else 0
        if not 1 <= width <= MAX_WIDTH:
            raise InvalidModel(
                INVALID_ONNX, f"Output '{tensor.name}' has {width} values per row; 1 to {MAX_WIDTH} are supported."
            )
        return width


def _input_shape(name: str, shape: Sequence[Any]) -> tuple[bool, int]:
    if len(shape) == 1:
        return True, 1
    if len(shape) == 2 and isinstance(shape[1], int) and 1 <= shape[1] <= MAX_WIDTH:
        return False, shape[1]
    raise InvalidModel(
        INVALID_ONNX,
        f"Input '{name}' has the shape {list(shape)}; one row of 1 to {MAX_WIDTH} columns is supported.",
    )


def _probe(tensor: _Input, rows: int) -> Any:
    fill = "" if tensor.dtype is np.object_ else 0
    block = np.full((rows, tensor.width), fill, dtype=tensor.dtype)
    return block[:, 0] if tensor.flat else block


def _typed(column: Column, kind: str) -> Column:
    if kind in {"DOUBLE", "FLOAT"}:
        column = np.ascontiguousarray(column)
        with np.errstate(over="ignore", invalid="ignore"):
            total = column.sum()
        # Where the sum of all is finite, so is each.
        return column if np.isfinite(total) else np.where(np.isfinite(column), column, column.dtype.type(np.nan))
    if kind == "INTEGER":
        return column.astype(np.int64)
    return column.astype(bool if kind == "BOOLEAN" else object, copy=False)


def first_line(error: BaseException) -> str:
    """Give what onnxruntime says in the first line of its message, without the full stop."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0][:300].rstrip(".")
