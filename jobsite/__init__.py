"""Wiring: settings, the Celery application, URLs, and the one-command local stack."""

from jobsite.celery import app as celery_app

__all__ = ["celery_app"]
