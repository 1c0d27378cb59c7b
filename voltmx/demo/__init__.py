"""A small Foundry runtime for the demo and the tests, and the demo's job."""

from voltmx.demo.loading import load

__all__ = ["load"]
