"""The demo: a model, two devices in a group, their measurements, and a job that scores them."""

from zementis.demo.loading import load

__all__ = ["load"]
