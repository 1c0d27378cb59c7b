"""Where it runs: development or production, its directory, its addresses, its secrets."""

import base64
import hashlib
import os
from pathlib import Path

import environ

from jobsite import production
from jobsite.environment import Environment

BASE_DIR = Path(__file__).resolve().parents[2]

env = Environment(os.environ)

# The order of the page.
env.section("Where and how it runs")
env.section("Security")
env.section(
    "Secrets from files",
    "Each of these names a file that holds the variable without `_FILE`, and wins over it. White space at its ends is "
    "left out; several keys stand in one line each, or with commas between. A file that cannot be read or is empty "
    "stops the start. They are read at start, so restart after a change; a new key goes in front of the old, and "
    "`manage.py rotate_secrets` follows. For the compose file see [below](#compose-with-secrets-from-files).",
)
# Such as Docker's.
env.secrets("SECRET_KEY", "SECRET_KEY_FALLBACKS", "ENCRYPTION_KEYS", "DATABASE_URL", "CELERY_BROKER_URL")
env.secrets("C8Y_PASSWORD", "OIDC_CLIENT_SECRET", "METRICS_TOKEN", "EMAIL_HOST_PASSWORD", "ADMIN_PASSWORD")
env.password("DATABASE_URL", file="DATABASE_PASSWORD_FILE")
env.password("CELERY_BROKER_URL", file="CELERY_BROKER_PASSWORD_FILE")

env.section("Where and how it runs")

JOBSITE_ENV = env.choice(
    "JOBSITE_ENV", default="development", options=("development", "production"), doc="What the defaults are for."
)
PRODUCTION = env.production = JOBSITE_ENV == "production"
DATA_DIR = (
    Path(
        env.text(
            "DATA_DIR",
            default=str(BASE_DIR / ".data"),
            takes="path of a folder",
            shown="`.data`",
            doc="What `make run` keeps: PostgreSQL's and Redis' files, secrets, logs.",
        )
    )
    .expanduser()
    .absolute()
)
# What nobody gave an address for, the local stack starts itself.
STACK_EMBEDS = tuple(name for name in ("DATABASE_URL", "CELERY_BROKER_URL") if not env.has(name))
if not PRODUCTION:
    environ.Env.read_env(DATA_DIR / "stack.env")

HOST = env.text(
    "HOST",
    default="127.0.0.1",
    takes="an address of this machine",
    doc="The address on which `make run` listens; `0.0.0.0` for all.",
)
PORT = env.integer("PORT", default=8000, low=1, high=65535, doc="Its port.")
DEBUG = env.flag("DEBUG", default=False, doc="Django's debug pages; refused in production.")

env.section("Security")

SECRET_KEY = env.text(
    "SECRET_KEY",
    default=production.DEVELOPMENT_SECRET,
    shown="random, kept in `DATA_DIR`; needed in production",
    doc="Signs sessions and tokens. 50 random characters or more.",
)
SECRET_KEY_FALLBACKS = env.words(
    "SECRET_KEY_FALLBACKS", default=(), doc="Former secrets that still verify, as long as the one in use."
)

_derived_key = base64.urlsafe_b64encode(hashlib.sha256(f"jobsite.encryption:{SECRET_KEY}".encode()).digest()).decode()
ENCRYPTION_KEYS = env.fernet_keys(
    "ENCRYPTION_KEYS",
    default=() if PRODUCTION else (_derived_key,),
    shown="random, kept in `DATA_DIR`; needed in production",
    doc="For secrets kept in rows. The first encrypts, all decrypt: put a new one in front, restart, and run "
    "`manage.py rotate_secrets`.",
)
ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS",
    default=() if PRODUCTION else ("localhost", "127.0.0.1", "[::1]"),
    shown="this machine and `HOST`; needed in production",
    doc="Host names under which users reach it, each by itself: no wildcards in production.",
)
if not PRODUCTION and HOST not in {"0.0.0.0", "::", *ALLOWED_HOSTS}:  # noqa: S104 - compared with, not bound to
    ALLOWED_HOSTS.append(HOST)
CSRF_TRUSTED_ORIGINS = env.words(
    "CSRF_TRUSTED_ORIGINS",
    default=(),
    doc="Origins with scheme, where the admin is reached under another name than `ALLOWED_HOSTS`. No wildcards in "
    "production.",
)

if PRODUCTION:
    production.check(
        env,
        debug=DEBUG,
        secrets={"SECRET_KEY": [SECRET_KEY], "SECRET_KEY_FALLBACKS": SECRET_KEY_FALLBACKS},
        keys=ENCRYPTION_KEYS,
        hosts=ALLOWED_HOSTS,
        origins=CSRF_TRUSTED_ORIGINS,
    )
