"""Loaded models of one worker process, the longest unused dropped first."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable

from zementis.inference.limits import MEGABYTE
from zementis.inference.scorer import Scorer

MAX_MODELS = 16
MAX_BYTES = 256 * MEGABYTE


class ModelCache:
    """Scorers by content hash, bounded by count and by the bytes the scorers say they hold."""

    def __init__(self, *, max_models: int = MAX_MODELS, max_bytes: int = MAX_BYTES) -> None:
        self.max_models = max_models
        self.max_bytes = max_bytes
        self._scorers: OrderedDict[str, Scorer] = OrderedDict()
        self._lock = threading.RLock()
        self._pid = os.getpid()

    def get(self, content_hash: str, loader: Callable[[], Scorer]) -> Scorer:
        """Give the cached scorer, or what ``loader`` loads; a model beyond the bounds is given but not kept."""
        with self._lock:
            self._forget_after_fork()
            scorer = self._scorers.get(content_hash)
            if scorer is None:
                scorer = self._scorers[content_hash] = loader()
            self._scorers.move_to_end(content_hash)
            self._evict()
            return scorer

    def drop(self, content_hash: str) -> None:
        """Forget one model. A run that is using it keeps it until it ends: engines free it with the last reference."""
        with self._lock:
            self._scorers.pop(content_hash, None)

    def clear(self) -> None:
        """Forget all models."""
        with self._lock:
            self._scorers.clear()

    def hashes(self) -> list[str]:
        """Give the cached models' hashes, the longest unused first."""
        with self._lock:
            self._forget_after_fork()
            return list(self._scorers)

    def _evict(self) -> None:
        while self._scorers and (
            len(self._scorers) > self.max_models
            or sum(scorer.size_bytes for scorer in self._scorers.values()) > self.max_bytes
        ):
            self._scorers.popitem(last=False)

    def _forget_after_fork(self) -> None:
        # Sessions and gateways of the parent do not work in a child.
        if self._pid != os.getpid():
            self._scorers.clear()
            self._pid = os.getpid()


_models = ModelCache()


def get(content_hash: str, loader: Callable[[], Scorer]) -> Scorer:
    """Give this process's loaded model of that content hash, calling ``loader`` where it is not loaded yet."""
    return _models.get(content_hash, loader)


def drop(content_hash: str) -> None:
    """Forget the model, as when it was replaced or deactivated."""
    _models.drop(content_hash)


def clear() -> None:
    """Forget every model of this process."""
    _models.clear()


def hashes() -> list[str]:
    """Give the hashes of this process's loaded models, the longest unused first."""
    return _models.hashes()
