"""The application that brings the kind ``call``."""

from django.apps import AppConfig


class CallsConfig(AppConfig):
    name = "benchmarks.calls"
    label = "calls"
