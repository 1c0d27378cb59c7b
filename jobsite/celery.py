"""The Celery application. Workers run `celery -A jobsite worker`, beats `celery -A jobsite beat`.

Options come from the `CELERY_*` names in `jobsite.settings`.
"""

import os

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")

app = Celery("jobsite", amqp="jobsite.broker:PromptAMQP", task_cls="jobsite.once:OnceTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    """Log as the settings say. A receiver here also keeps Celery from installing handlers of its own."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
