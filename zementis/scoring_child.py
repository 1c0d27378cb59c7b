"""The process that scores single records for the web server: an engine that falls takes no server with it.

Reads orders from standard input and answers on standard output, one JSON line each; a model's bytes follow the order
that carries them. Ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from typing import IO, Any

MEMORY_BYTES = 3 * 1024**3


def main() -> None:
    """Answer orders until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Engines print; what they print must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while line := sys.stdin.buffer.readline():
        answers.write(json.dumps(_answer(json.loads(line), sys.stdin.buffer)).encode() + b"\n")
        answers.flush()


def _answer(order: dict[str, Any], stream: IO[bytes]) -> dict[str, Any]:
    from zementis.inference import InvalidModel, ScoringError, cache, load

    content = stream.read(order["size"]) if order["size"] else b""
    if not content and order["hash"] not in cache.hashes():
        return {"needed": True}
    try:
        scorer = cache.get(order["hash"], lambda: load(content, format=order["format"], engine=order["engine"]))
        return {"outputs": _scored(scorer, order["columns"])}
    except ScoringError as error:
        if error.retryable:
            cache.drop(order["hash"])
        return {"error": str(error), "retryable": error.retryable}
    except InvalidModel as error:
        return {"error": " ".join(error.errors), "retryable": False}
    except MemoryError:
        cache.clear()
        return {"error": "The model needs too much memory.", "retryable": False}


def _scored(scorer: Any, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    import numpy as np

    from zementis.inference_columns import finite

    types = {field.name: field.type for field in scorer.inputs}
    arrays = {
        name: np.array(values, dtype=object)
        if any(isinstance(value, str) for value in values) or types.get(name) not in _NUMERIC
        else np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        for name, values in columns.items()
        if name in types
    }
    return {name: finite(column) for name, column in scorer.score(arrays).items()}


_NUMERIC = frozenset({"DOUBLE", "FLOAT", "INTEGER", "BOOLEAN"})


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
