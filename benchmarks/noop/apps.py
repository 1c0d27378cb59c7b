"""The application that brings the kind ``noop``."""

from django.apps import AppConfig


class NoopConfig(AppConfig):
    name = "benchmarks.noop"
    label = "noop"
