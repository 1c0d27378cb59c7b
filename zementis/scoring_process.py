"""Scores a few records at once for the web server, in a child process of its own that starts when first needed."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from zementis import model_store
from zementis.inference import ScoringError
from zementis.model_store import StoredModel

_PROJECT = Path(__file__).resolve().parents[1]
_ENVIRONMENT = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "ZEMENTIS_JAVA_HEAP_MB")
ANSWER_SECONDS = 60.0


class ScoringProcess:
    """One child at most; requests take turns. Thread-safe, and aware that its owner may fork."""

    def __init__(self, *, seconds: float = ANSWER_SECONDS) -> None:
        self._lock = threading.Lock()
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def score(self, model: StoredModel, columns: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Score rows given as one list per input (None for missing); return one list per output.

        Raises ``ScoringError``: the rows do not fit the model, or the engine failed or took too long.
        """
        order = {
            "hash": model.content_hash,
            "format": model.format,
            "engine": model.description.engine,
            "columns": dict(columns),
            "size": 0,
        }
        with self._lock:
            answer = self._ask(order, b"")
            if answer.get("needed"):
                content = model_store.source(model)
                answer = self._ask({**order, "size": len(content)}, content)
        if "outputs" in answer:
            outputs: dict[str, list[Any]] = answer["outputs"]
            return outputs
        raise ScoringError(str(answer.get("error", "The model gave no answer.")), retryable=bool(answer["retryable"]))

    def close(self) -> None:
        """End the child, and whatever it has started."""
        with self._lock:
            self._kill()

    def _ask(self, order: dict[str, Any], content: bytes) -> dict[str, Any]:
        child = self._running()
        if child.stdin is None or child.stdout is None:
            raise ScoringError("The scoring process has no pipes.", retryable=True)
        try:
            child.stdin.write(json.dumps(order).encode() + b"\n" + content)
            child.stdin.flush()
            line = self._line(child)
        except (OSError, TimeoutError) as error:
            self._kill()
            if isinstance(error, TimeoutError):
                raise ScoringError(f"Scoring took longer than {self._seconds:g} seconds.", retryable=False) from error
            raise ScoringError("The scoring process ended without an answer.", retryable=True) from error
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _line(self, child: subprocess.Popen[bytes]) -> bytes:
        """Return the child's next line. Raises ``TimeoutError``, and ``OSError`` where the child has ended."""
        pipe = child.stdout
        if pipe is None:
            raise BrokenPipeError
        deadline = time.monotonic() + self._seconds
        line = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                part = os.read(pipe.fileno(), 1 << 20)
                if not part:
                    raise BrokenPipeError
                line += part
        return bytes(line)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():
            # After a fork the child is our parent's, not ours.
            self._child, self._owner = None, os.getpid()
        if self._child is not None and self._child.poll() is not None:
            self._kill()
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 - this interpreter, a fixed module
                [sys.executable, "-s", "-m", "zementis.scoring_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=_PROJECT,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
                | {"PYTHONPATH": str(_PROJECT), "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,
            )
        return self._child

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None or self._owner != os.getpid():
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


process = ScoringProcess()
atexit.register(process.close)
