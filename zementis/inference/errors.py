"""What can go wrong with a model, as two exceptions.

InvalidModel   the file is refused when it is uploaded
ScoringError   rows could not be scored; says whether trying again can help
"""

from __future__ import annotations

INVALID_XML = "Invalid XML format."
INVALID_ONNX = "Invalid onnx format."


class InvalidModel(ValueError):  # noqa: N818  # the name the surface's words use
    """The file is not a model that can be run. ``errors`` holds one sentence per problem, fit for an API answer."""

    def __init__(self, *errors: str) -> None:
        super().__init__(" ".join(errors))
        self.errors: tuple[str, ...] = errors


class ScoringError(RuntimeError):
    """The rows were not scored. ``retryable`` is true where the same call may succeed later (the engine had died)."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable
