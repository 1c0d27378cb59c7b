"""Fixtures for the core's room."""

from tests.scheduler.hold import ahead, hold_over
from tests.scheduler.scripted import scripted

__all__ = ["ahead", "hold_over", "scripted"]
