"""Fixtures for the core's room."""

from tests.scheduler.scripted import scripted

__all__ = ["scripted"]
