"""PostgreSQL, which keeps everything, and Celery with Redis, which carries hints."""

from typing import cast

from jobsite.settings.place import PRODUCTION, env

env.section("Where and how it runs")

DATABASES = {
    "default": {
        **env.database(
            "DATABASE_URL",
            default="postgresql://postgres@127.0.0.1:5432/jobsite",
            shown="the embedded PostgreSQL; needed in production",
            doc="`postgresql://user:password@host:port/name`. When given, `make run` starts no PostgreSQL.",
        ),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
# A server whose network is gone is given up after seconds, not after the kernel's quarter of an hour. The address wins.
DATABASES["default"]["OPTIONS"] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15000,
    **cast(dict[str, object], DATABASES["default"].get("OPTIONS", {})),
}

CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = env.broker(
    "CELERY_BROKER_URL",
    default="redis://127.0.0.1:6379/0",
    ca_file="CELERY_BROKER_CA_FILE",
    checked=PRODUCTION,
    shown="the embedded Redis; needed in production",
    doc="`redis://:password@host:port/0`. When given, `make run` starts no Redis. Over TLS `rediss://`, see "
    "[security](security.md#the-redis-port).",
)
# Celery takes its broker's address from the environment by itself, and these before it: the password may be in a file.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL
CELERY_BROKER_CA_FILE = env.text(
    "CELERY_BROKER_CA_FILE",
    default="",
    takes="path of a file",
    shown="the system's",
    doc="PEM file of the authorities that Redis' certificate is checked against, with `rediss://`.",
)

env.section("The scheduler")

MESSAGE_LIMIT_BYTES = env.integer(
    "MESSAGE_LIMIT_BYTES",
    default=1 << 20,
    low=16384,
    high=1 << 28,
    doc="A larger message is refused unread by the worker that would take it. A job's headers, 2048 bytes at most, go "
    "into its messages; larger ones, which older jobs may have, are left out where they would make them too large.",
)
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# The rows are the record of every run; a result backend would be a second one.
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "services"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BEAT_SCHEDULER = "scheduler.beat:JobScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# Redis hands a message out again when nobody acknowledged it for this long. The row decides who runs it, so a second
# delivery is only a wasted look; short means that a message of a killed worker is found again soon.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": env.integer(
        "CELERY_VISIBILITY_TIMEOUT_SECONDS",
        default=3600,
        low=60,
        high=86400,
        doc="Redis hands a message out again when nobody acknowledged it for this long.",
    ),
    "socket_keepalive": True,
    # No read waits longer than this: a worker's one loop must not hang on a connection whose other end has gone.
    "socket_timeout": 5,
    "health_check_interval": 25,
    "retry_on_timeout": True,
}
# Runs are cancelled and workers counted through rows. Celery's own remote control is a subscription in Redis, on whose
# reply a worker was seen waiting for ever after Redis had been restarted.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# Celery closes the database connection after each task unless this is set; one connection per thread is cheaper.
CELERY_DB_REUSE_MAX = 1000
