"""Which headers, parameters and members hold credentials; how they are kept is the core's ``secret``."""

from __future__ import annotations

import re

from scheduler.secret import MASK, Secret, UnreadableSecret

__all__ = ["MASK", "Secret", "UnreadableSecret", "is_credential"]

# Members whose values are credentials wherever they turn up: headers, query parameters, recorded bodies.
_CREDENTIAL = re.compile(
    r"authorization$|^cookie$|^set-cookie$|pass(word|wd|phrase)|secret|api[-_]?key|access[-_]?key|credential"
    r"|^(x-)?(.*[-_])?token$",
    re.IGNORECASE,
)


def is_credential(name: str) -> bool:
    """Whether a header, a parameter or a member of this name holds a credential."""
    return _CREDENTIAL.search(name) is not None
