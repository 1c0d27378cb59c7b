"""The core: claims, leases, limits."""

from jobsite.settings.place import env

env.section("The scheduler")

SCHEDULER_MISFIRE_GRACE_SECONDS = env.integer(
    "SCHEDULER_MISFIRE_GRACE_SECONDS",
    default=60,
    low=1,
    high=86400,
    doc="A fire later than this is a misfire, and the job's misfire policy decides.",
)
SCHEDULER_CLAIM_BATCH = env.integer(
    "SCHEDULER_CLAIM_BATCH", default=500, low=1, high=10000, doc="How many due jobs one transaction of a beat claims."
)
SCHEDULER_LEASE_SECONDS = env.integer(
    "SCHEDULER_LEASE_SECONDS",
    default=12,
    low=3,
    high=3600,
    doc="A worker renews its lease on a run every sixth of this, at least every two seconds; a run whose lease ran "
    "out is rescued. After two thirds of it without an answer a worker stops by itself what another may begin again.",
)
SCHEDULER_SHUTDOWN_SECONDS = env.integer(
    "SCHEDULER_SHUTDOWN_SECONDS",
    default=6,
    low=0,
    high=3600,
    doc="How long a worker that is asked to stop lets its runs go on; `make run` gives them 2, the compose file 50. "
    "What has not ended then goes on elsewhere, where its job retries.",
)
# See ``scheduler.standstill``.
SCHEDULER_STANDSTILL_SECONDS = env.integer(
    "SCHEDULER_STANDSTILL_SECONDS",
    default=60,
    low=0,
    high=86400,
    doc="A worker process in which a library lets no Python run for this long is ended, and started again by whoever "
    "started it; `0`: never.",
)
SCHEDULER_MAX_RESCUES = env.integer(
    "SCHEDULER_MAX_RESCUES",
    default=3,
    low=0,
    high=100,
    doc="How often a run is begun again after its worker died or stopped, beside its job's own retries.",
)
SCHEDULER_DEFAULT_TIMEOUT_SECONDS = env.integer(
    "SCHEDULER_DEFAULT_TIMEOUT_SECONDS",
    default=3600,
    low=1,
    high=604800,
    doc="For jobs that name no timeout of their own.",
)
SCHEDULER_CONCURRENCY_LIMIT = env.integer(
    "SCHEDULER_CONCURRENCY_LIMIT",
    default=0,
    low=0,
    high=100000,
    doc="How many runs of one concurrency key (one service) may be under way at once where no limit of its own says; "
    "`0`: any.",
)
SCHEDULER_PAYLOAD_LIMIT_BYTES = env.integer(
    "SCHEDULER_PAYLOAD_LIMIT_BYTES",
    default=65536,
    low=1024,
    high=16777216,
    doc="How much of a request and of a response the history keeps.",
)
