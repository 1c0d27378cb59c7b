"""The two vendors' surfaces."""

from django.core.exceptions import ImproperlyConfigured

from jobsite.settings.place import PORT, env

env.section("Volt MX Foundry")

VOLTMX_SERVER_URL = env.url(
    "VOLTMX_SERVER_URL",
    default=f"http://127.0.0.1:{PORT}",
    schemes=("http", "https"),
    shown="the stack itself",
    doc="The Foundry server for services that the registry does not name.",
)
VOLTMX_SERVICES = env.addresses(
    "VOLTMX_SERVICES",
    schemes=("http", "https"),
    doc="More servers, beside the registry's rows: `service=url` or `service:version=url`.",
)
VOLTMX_ALLOW_ADDRESSES = env.networks(
    "VOLTMX_ALLOW_ADDRESSES",
    default=("loopback", "private"),
    production=(),
    words=("loopback", "private", "link-local"),
    doc="What services may be called beyond the open network.",
)
VOLTMX_TIME_ZONE = env.zone("VOLTMX_TIME_ZONE", default="UTC", doc="The zone of schedules that name none.")
VOLTMX_MIN_INTERVAL_MINUTES = env.integer(
    "VOLTMX_MIN_INTERVAL_MINUTES",
    default=5,
    low=0,
    high=1440,
    doc="The shortest interval between two fires that a job may ask for; `0`: any.",
)
VOLTMX_TOKEN_SECONDS = env.integer(
    "VOLTMX_TOKEN_SECONDS", default=3600, low=60, high=86400, doc="How long a claims token is valid."
)
VOLTMX_SESSION_SECONDS = env.integer(
    "VOLTMX_SESSION_SECONDS",
    default=86400,
    low=60,
    high=31536000,
    doc="A login ends this long after its last refresh.",
)
# A body that came packed counts as it is unpacked, here and everywhere.
VOLTMX_BODY_LIMIT_BYTES = env.integer(
    "VOLTMX_BODY_LIMIT_BYTES", default=1 << 20, low=1024, high=1 << 26, doc="The largest request body, unpacked."
)
VOLTMX_CONNECT_TIMEOUT_SECONDS = env.integer(
    "VOLTMX_CONNECT_TIMEOUT_SECONDS", default=10, low=1, high=3600, doc="For calls of services: to reach the server."
)
VOLTMX_READ_TIMEOUT_SECONDS = env.integer(
    "VOLTMX_READ_TIMEOUT_SECONDS", default=60, low=1, high=3600, doc="For calls of services: to wait for an answer."
)
VOLTMX_RESPONSE_LIMIT_BYTES = env.integer(
    "VOLTMX_RESPONSE_LIMIT_BYTES",
    default=4 << 20,
    low=1024,
    high=1 << 28,
    doc="The largest answer that is read from a service.",
)

env.section("Cumulocity Zementis")

ZEMENTIS_DATA_SOURCE = env.choice(
    "ZEMENTIS_DATA_SOURCE",
    default="local",
    options=("local", "cumulocity"),
    doc="Where devices and measurements are: this database, or the Cumulocity tenant that the `C8Y_` variables name.",
)
ZEMENTIS_TENANT = env.text("ZEMENTIS_TENANT", default="jobsite", doc="What the local store calls its one tenant.")
ZEMENTIS_BODY_LIMIT_BYTES = env.integer(
    "ZEMENTIS_BODY_LIMIT_BYTES",
    default=1 << 20,
    low=1024,
    high=1 << 26,
    doc="The largest body of a job or an object of the inventory.",
)
ZEMENTIS_BATCH_LIMIT_BYTES = env.integer(
    "ZEMENTIS_BATCH_LIMIT_BYTES",
    default=32 << 20,
    low=1024,
    high=1 << 28,
    doc="The largest body of measurements, or of records to score at once.",
)
ZEMENTIS_MAX_DATA_RANGE_SECONDS = env.optional_integer(
    "ZEMENTIS_MAX_DATA_RANGE_SECONDS",
    low=1,
    high=10**9,
    shown="any",
    doc="How long a range of measurements one job may ask for.",
)
# Read from the environment there too, since the processes that inspect models know no settings.
ZEMENTIS_JAVA_HEAP_MB = env.integer(
    "ZEMENTIS_JAVA_HEAP_MB",
    default=512,
    low=64,
    high=65536,
    doc="The heap of each Java process, which scores what is not compiled.",
)
ZEMENTIS_SCORING_THREADS = env.integer(
    "ZEMENTIS_SCORING_THREADS",
    default=1,
    low=1,
    high=64,
    doc="Threads of one run that score while its own thread reads and writes the database. 1, since a worker's "
    "processes use the cores already; more help a run that is alone, mostly with compiled trees, and each holds three "
    "chunks of 20,000 rows. See [how many lanes](zementis.md#how-many-lanes).",
)
C8Y_BASEURL = env.text(
    "C8Y_BASEURL",
    default="",
    takes="URL",
    shown="none; needed for `cumulocity`",
    doc="The tenant's address, such as `https://acme.cumulocity.com`.",
)
C8Y_TENANT = env.text("C8Y_TENANT", default="", shown="none; needed for `cumulocity`", doc="The tenant's id.")
C8Y_USER = env.text(
    "C8Y_USER",
    default="",
    shown="none; needed for `cumulocity`",
    doc="The user there, who must be allowed to read inventory and measurements.",
)
C8Y_PASSWORD = env.text("C8Y_PASSWORD", default="", shown="none; needed for `cumulocity`", doc="And the password.")
C8Y_TIMEOUT_SECONDS = env.integer(
    "C8Y_TIMEOUT_SECONDS", default=30, low=1, high=600, doc="How long one request to the tenant may take."
)
C8Y_RESPONSE_LIMIT_BYTES = env.integer(
    "C8Y_RESPONSE_LIMIT_BYTES",
    default=64 << 20,
    low=1024,
    high=1 << 30,
    doc="The largest answer that is read from the tenant, unpacked.",
)
C8Y_RESPONSE_SECONDS = env.integer(
    "C8Y_RESPONSE_SECONDS", default=300, low=1, high=86400, doc="The longest time in which one may come."
)
C8Y_RETRIES = env.integer(
    "C8Y_RETRIES",
    default=4,
    low=0,
    high=20,
    doc="How often a request is sent again that the tenant did not answer.",
)
if ZEMENTIS_DATA_SOURCE == "cumulocity":
    for _name in ("C8Y_BASEURL", "C8Y_TENANT", "C8Y_USER", "C8Y_PASSWORD"):
        if not env.has(_name):
            raise ImproperlyConfigured(f"{_name}: ZEMENTIS_DATA_SOURCE=cumulocity needs it.")
