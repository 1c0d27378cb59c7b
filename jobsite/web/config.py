"""gunicorn's configuration, from the settings: `gunicorn --config python:jobsite.web.config jobsite.wsgi`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")

from django.conf import settings  # noqa: E402 - it reads the variable above

worker_class = "jobsite.web.worker.Worker"
threads = settings.STACK_WEB_THREADS
worker_connections = settings.WEB_CONNECTIONS
# Zementis' `apply?record=` and previews of schedules may be long.
limit_request_line = 8190
# Beyond these the server refuses in its own words; up to them RequestLimitsMiddleware does in the surfaces'.
limit_request_fields = 2 * settings.HEADERS_LIMIT
limit_request_field_size = 2 * settings.HEADERS_LIMIT_BYTES
# Answers are kept for slow clients, which the kernel's way from file to socket would pass by.
sendfile = False
control_socket_disable = True
