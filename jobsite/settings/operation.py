"""What people who run it look at and are told by: metrics, mail, alerts, logs."""

from jobsite import logs
from jobsite.settings.place import env

env.section("Monitoring")

METRICS_TOKEN = env.text(
    "METRICS_TOKEN",
    default="",
    doc="Opens `/metrics` as a bearer token or as the password of basic authentication. See "
    "[monitoring](monitoring.md).",
)
METRICS_ALLOW_ADDRESSES = env.networks(
    "METRICS_ALLOW_ADDRESSES",
    default=("loopback",),
    production=(),
    words=("loopback",),
    doc="Addresses from which `/metrics` is open.",
)

env.section("Mail")

EMAIL_HOST = env.text("EMAIL_HOST", default="localhost", doc="The mail server.")
EMAIL_PORT = env.integer("EMAIL_PORT", default=25, low=1, high=65535, doc="Its port.")
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", default="", doc="The user there.")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", default="", doc="And the password.")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False, doc="Whether to start TLS.")
EMAIL_TIMEOUT = env.integer("EMAIL_TIMEOUT_SECONDS", default=10, low=1, high=300, doc="How long to wait for it.")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="jobsite@localhost", doc="Whom mail comes from.")

env.section("Alerts")

PUBLIC_URL = env.optional_url(
    "PUBLIC_URL",
    schemes=("http", "https"),
    doc="Where people reach the console, such as `https://jobs.example.com`: alerts then carry links.",
)
ALERTS_ALLOW_ADDRESSES = env.networks(
    "ALERTS_ALLOW_ADDRESSES",
    default=("loopback", "private"),
    production=(),
    words=("loopback", "private", "link-local"),
    doc="What channels and ping URLs may lead to beyond the open network. A mail server in your own network needs it.",
)
ALERTS_KEEP_DAYS = env.integer(
    "ALERTS_KEEP_DAYS",
    default=90,
    low=1,
    high=3650,
    doc="How long closed incidents and the log of deliveries are kept.",
)

env.section("Logging")

LOG_LEVEL = env.choice(
    "LOG_LEVEL",
    default="info",
    options=("debug", "info", "warning", "error"),
    doc="The least serious lines that are written.",
).upper()
LOG_FORMAT = env.choice(
    "LOG_FORMAT",
    default="text",
    production="json",
    options=("json", "text"),
    doc="Short text for people, or one JSON object per line.",
)
LOGGING = logs.configuration(level=LOG_LEVEL, form=LOG_FORMAT)
