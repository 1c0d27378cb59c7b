"""What the local store refuses.

StoreError
├── ObjectNotFound       no such managed object
├── MeasurementNotFound  no such measurement
└── InvalidContent       a managed object or measurement that cannot be kept
"""

from __future__ import annotations


class StoreError(Exception):
    """Something the local store refuses. The message is a sentence for the client."""


class ObjectNotFound(StoreError):
    """There is no such managed object."""


class MeasurementNotFound(StoreError):
    """There is no such measurement."""


class InvalidContent(StoreError):
    """A managed object or measurement cannot be kept."""
