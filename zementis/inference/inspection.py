"""Have a model file checked in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from zementis.inference.description import Format, ModelDescription
from zementis.inference.errors import INVALID_ONNX, INVALID_XML, InvalidModel
from zementis.inference.limits import MEGABYTE, Limits

_PROJECT = Path(__file__).resolve().parents[2]
# What the inspecting process gets to see of the caller's environment; a crafted file finds no secret in it.
_ENVIRONMENT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "ZEMENTIS_JAVA_HEAP_MB")


def inspect(
    path_or_bytes: str | os.PathLike[str] | bytes,
    *,
    format: Format,  # noqa: A002  # the field's word
    limits: Limits | None = None,
) -> ModelDescription:
    """Check an uploaded model file (packed or not) and describe it.

    The file is parsed, loaded with the engine that will run it, and tried on made-up rows, all in a separate process
    with bounds on memory, processor time and wall time; whatever the file does there, the caller gets an answer.
    Blocks for 1 to 4 seconds with an ordinary model and for ``limits.wall_seconds`` at most.
    Raises InvalidModel with one sentence per problem.
    """
    bounds = limits or Limits()
    data = _read(path_or_bytes, bounds)
    invalid = INVALID_ONNX if format == "ONNX" else INVALID_XML
    if not data:
        raise InvalidModel(invalid, "The file is empty.")
    order = json.dumps({"format": format, "limits": asdict(bounds)}).encode() + b"\n"
    process = subprocess.Popen(  # noqa: S603  # this interpreter, a fixed module
        [sys.executable, "-s", "-m", "zementis.inference.inspector"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_PROJECT,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        | {"PYTHONPATH": str(_PROJECT), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        start_new_session=True,
    )
    try:
        answer, _ = process.communicate(order + data, timeout=bounds.wall_seconds)
    except subprocess.TimeoutExpired as error:
        raise InvalidModel(invalid, f"Checking the file took longer than {bounds.wall_seconds:g} seconds.") from error
    finally:
        _kill(process)
    return _description(answer, process.returncode, invalid, bounds)


def _read(path_or_bytes: str | os.PathLike[str] | bytes, limits: Limits) -> bytes:
    too_large = InvalidModel(f"The model file is larger than {limits.upload_bytes / MEGABYTE:g} MB.")
    if isinstance(path_or_bytes, bytes):
        if len(path_or_bytes) > limits.upload_bytes:
            raise too_large
        return path_or_bytes
    path = Path(path_or_bytes)
    if path.stat().st_size > limits.upload_bytes:
        raise too_large
    return path.read_bytes()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the inspection and the Java it started, whatever they are doing; they are a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _description(answer: bytes, exit_code: int, invalid: str, limits: Limits) -> ModelDescription:
    try:
        result = json.loads(answer)
    except ValueError as error:
        if exit_code == -signal.SIGXCPU:
            reason = f"Checking the file took more than {limits.cpu_seconds} seconds of processor time."
        else:
            reason = (
                f"Checking the file ended without a result; it may need more than {limits.memory_bytes // MEGABYTE} MB"
                " or damage the engine."
            )
        raise InvalidModel(invalid, reason) from error
    if "errors" in result:
        raise InvalidModel(*result["errors"])
    return ModelDescription.from_json(result["description"])
