"""Every setting, read from the environment and nowhere else, each default visible.

`JOBSITE_ENV=production` takes no development default: it refuses to start without a secret, a database, a broker,
encryption keys and host names of its own. In development the embedded stack leaves the addresses and secrets of its
services in `DATA_DIR/stack.env`, so that `manage.py shell` beside a running stack finds them; the environment wins.
"""

import base64
import hashlib
import os
from pathlib import Path
from typing import cast

import environ
from django.core.exceptions import ImproperlyConfigured

from jobsite import logs, policy, production
from jobsite.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment(os.environ)
# Secrets may come from files, such as Docker's: SECRET_KEY_FILE and so on.
env.secrets("SECRET_KEY", "SECRET_KEY_FALLBACKS", "ENCRYPTION_KEYS", "DATABASE_URL", "CELERY_BROKER_URL")
env.secrets("C8Y_PASSWORD", "OIDC_CLIENT_SECRET", "METRICS_TOKEN", "EMAIL_HOST_PASSWORD", "ADMIN_PASSWORD")
env.password("DATABASE_URL", file="DATABASE_PASSWORD_FILE")
env.password("CELERY_BROKER_URL", file="CELERY_BROKER_PASSWORD_FILE")

# -- Where it runs ---------------------------------------------------------------------------------------------------

JOBSITE_ENV = env.choice("JOBSITE_ENV", default="development", options=("development", "production"))
PRODUCTION = JOBSITE_ENV == "production"
DATA_DIR = Path(env.text("DATA_DIR", default=str(BASE_DIR / ".data"))).expanduser().absolute()
# What nobody gave an address for, the local stack starts itself.
STACK_EMBEDS = tuple(name for name in ("DATABASE_URL", "CELERY_BROKER_URL") if not env.has(name))
if not PRODUCTION:
    environ.Env.read_env(DATA_DIR / "stack.env")

DEBUG = env.flag("DEBUG", default=False)
HOST = env.text("HOST", default="127.0.0.1")
PORT = env.integer("PORT", default=8000, low=1, high=65535)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", default=() if PRODUCTION else ("localhost", "127.0.0.1", "[::1]"))
if not PRODUCTION and HOST not in {"0.0.0.0", "::", *ALLOWED_HOSTS}:  # noqa: S104 - compared with, not bound to
    ALLOWED_HOSTS.append(HOST)
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", default=())

SECRET_KEY = env.text("SECRET_KEY", default=production.DEVELOPMENT_SECRET)
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default=())

# Fernet keys for secrets kept in rows. The first encrypts, all decrypt: put a new one in front to rotate.
_derived_key = base64.urlsafe_b64encode(hashlib.sha256(f"jobsite.encryption:{SECRET_KEY}".encode()).digest()).decode()
ENCRYPTION_KEYS = env.fernet_keys("ENCRYPTION_KEYS", default=() if PRODUCTION else (_derived_key,))

if PRODUCTION:
    production.check(
        env,
        debug=DEBUG,
        secrets={"SECRET_KEY": [SECRET_KEY], "SECRET_KEY_FALLBACKS": SECRET_KEY_FALLBACKS},
        keys=ENCRYPTION_KEYS,
        hosts=ALLOWED_HOSTS,
        origins=CSRF_TRUSTED_ORIGINS,
    )

# -- Applications ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "jobsite",
    "scheduler",
    "accounts",
    "voltmx",
    "zementis",
    # Applications of your own; one with a module `job_type` adds kinds of jobs.
    *env.words("EXTRA_APPS", default=()),
]
MIDDLEWARE = [
    # In front of those that may answer by themselves: every answer has the headers.
    "csp.middleware.CSPMiddleware",
    "jobsite.headers.HeadersMiddleware",
    "jobsite.request_ids.RequestIdMiddleware",
    "jobsite.health.HealthMiddleware",
    "accounts.origin.OriginMiddleware",
    "voltmx.middleware.VendorErrorsMiddleware",
    "zementis.middleware.SurfaceErrorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.request_limits.RequestLimitsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.second_factor_middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "scheduler.console.refused.RefusedValuesMiddleware",
]
ROOT_URLCONF = "jobsite.urls"
WSGI_APPLICATION = "jobsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # In front of the applications' own: what of the theme's pages is written differently here.
        "DIRS": [BASE_DIR / "jobsite" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# The vendors' paths are exact: a redirect to a path with a slash would turn their POST into a GET.
APPEND_SLASH = False
STATIC_URL = "static/"
STATIC_ROOT = env.text("STATIC_ROOT", default=str(BASE_DIR / "staticfiles") if PRODUCTION else "") or None
# In development whitenoise serves straight from the applications, which spares every start a collectstatic.
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
REST_FRAMEWORK = {
    # Each surface names its own vendor's scheme on its views; a view that forgets gets nobody in.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["jobsite.throttle.UserThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "jobsite.openapi.SurfaceSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Jobsite",
    "DESCRIPTION": "One job runner, two vendors' APIs: Volt MX Foundry's Scheduling Job APIs, and Cumulocity's "
    "Zementis jobs with the models, devices and measurements that they need.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["jobsite.openapi.expand_paths"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "jobsite.openapi.add_components"],
}
UNFOLD = {
    "SITE_TITLE": "Jobsite",
    "SITE_HEADER": "Jobsite",
    "SITE_SYMBOL": "schedule",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "scheduler.admin.site.favicon"}],
    "GLOBAL_CALLBACK": "scheduler.admin.site.context",
    "STYLES": ["scheduler.admin.site.theme", "scheduler.admin.site.stylesheet"],
    "SCRIPTS": ["scheduler.admin.site.expressions", "scheduler.admin.site.script"],
    "DASHBOARD_CALLBACK": "scheduler.admin.dashboard.context",
    "LOGIN": {"form": "accounts.login_form.LoginForm"},
    "ACCOUNT": {"navigation": "accounts.admin.account_links"},
    "SIDEBAR": {"show_search": True, "navigation": "scheduler.admin.site.navigation"},
}

# -- PostgreSQL ------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": {
        **env.database("DATABASE_URL", default="postgresql://postgres@127.0.0.1:5432/jobsite"),
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

# -- Celery ----------------------------------------------------------------------------------------------------------

CELERY_BROKER_CA_FILE = env.text("CELERY_BROKER_CA_FILE", default="")
CELERY_BROKER_URL, CELERY_BROKER_USE_SSL = env.broker(
    "CELERY_BROKER_URL", default="redis://127.0.0.1:6379/0", ca_file="CELERY_BROKER_CA_FILE", checked=PRODUCTION
)
# Celery takes its broker's address from the environment by itself, and these before it: the password may be in a file.
CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = CELERY_BROKER_URL
# A message that is larger is refused unread by whoever would take it.
MESSAGE_LIMIT_BYTES = env.integer("MESSAGE_LIMIT_BYTES", default=1 << 20, low=16384, high=1 << 28)
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
    "visibility_timeout": env.integer("CELERY_VISIBILITY_TIMEOUT_SECONDS", default=3600, low=60, high=86400),
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

# -- The scheduler ---------------------------------------------------------------------------------------------------

# A fire later than this is a misfire, and the job's misfire policy decides.
SCHEDULER_MISFIRE_GRACE_SECONDS = env.integer("SCHEDULER_MISFIRE_GRACE_SECONDS", default=60, low=1, high=86400)
# How many due jobs one transaction of a beat claims.
SCHEDULER_CLAIM_BATCH = env.integer("SCHEDULER_CLAIM_BATCH", default=500, low=1, high=10000)
# A worker renews its lease on a run every quarter of this, at least every 2 s; a run whose lease ran out is rescued.
SCHEDULER_LEASE_SECONDS = env.integer("SCHEDULER_LEASE_SECONDS", default=12, low=3, high=3600)
# How long a worker that is asked to stop lets its runs go on before it tells them to stop too.
SCHEDULER_SHUTDOWN_SECONDS = env.integer("SCHEDULER_SHUTDOWN_SECONDS", default=6, low=0, high=3600)
# A worker process in which no Python runs for this long is ended; 0: never. See ``scheduler.standstill``.
SCHEDULER_STANDSTILL_SECONDS = env.integer("SCHEDULER_STANDSTILL_SECONDS", default=60, low=0, high=86400)
SCHEDULER_MAX_RESCUES = env.integer("SCHEDULER_MAX_RESCUES", default=3, low=0, high=100)
SCHEDULER_DEFAULT_TIMEOUT_SECONDS = env.integer("SCHEDULER_DEFAULT_TIMEOUT_SECONDS", default=3600, low=1, high=604800)
# How many runs of one concurrency key (one service) may be under way at once where no limit of its own says; 0: any.
SCHEDULER_CONCURRENCY_LIMIT = env.integer("SCHEDULER_CONCURRENCY_LIMIT", default=0, low=0, high=100000)
SCHEDULER_PAYLOAD_LIMIT_BYTES = env.integer("SCHEDULER_PAYLOAD_LIMIT_BYTES", default=65536, low=1024, high=16777216)

# -- Volt MX Foundry -------------------------------------------------------------------------------------------------

# The Foundry server for services that the registry does not name: the stack itself unless told otherwise.
VOLTMX_SERVER_URL = env.url("VOLTMX_SERVER_URL", default=f"http://127.0.0.1:{PORT}", schemes=("http", "https"))
VOLTMX_TIME_ZONE = env.zone("VOLTMX_TIME_ZONE", default="UTC")
VOLTMX_MIN_INTERVAL_MINUTES = env.integer("VOLTMX_MIN_INTERVAL_MINUTES", default=5, low=0, high=1440)
VOLTMX_TOKEN_SECONDS = env.integer("VOLTMX_TOKEN_SECONDS", default=3600, low=60, high=86400)
# A login ends this long after its last refresh.
VOLTMX_SESSION_SECONDS = env.integer("VOLTMX_SESSION_SECONDS", default=86400, low=60, high=31536000)
# A body that came packed counts as it is unpacked, here and everywhere.
VOLTMX_BODY_LIMIT_BYTES = env.integer("VOLTMX_BODY_LIMIT_BYTES", default=1 << 20, low=1024, high=1 << 26)
# More servers of the registry, beside its rows: service=url or service:version=url.
VOLTMX_SERVICES = env.addresses("VOLTMX_SERVICES", schemes=("http", "https"))
# What services may be called beyond the open network: loopback, private, link-local, or networks such as 10.1.0.0/16.
VOLTMX_ALLOW_ADDRESSES = env.networks(
    "VOLTMX_ALLOW_ADDRESSES",
    default=() if PRODUCTION else ("loopback", "private"),
    words=("loopback", "private", "link-local"),
)
VOLTMX_CONNECT_TIMEOUT_SECONDS = env.integer("VOLTMX_CONNECT_TIMEOUT_SECONDS", default=10, low=1, high=3600)
VOLTMX_READ_TIMEOUT_SECONDS = env.integer("VOLTMX_READ_TIMEOUT_SECONDS", default=60, low=1, high=3600)
VOLTMX_RESPONSE_LIMIT_BYTES = env.integer("VOLTMX_RESPONSE_LIMIT_BYTES", default=4 << 20, low=1024, high=1 << 28)

# -- Cumulocity Zementis ---------------------------------------------------------------------------------------------

# Where devices and measurements are: this database, or the Cumulocity tenant that the C8Y_ variables name.
ZEMENTIS_DATA_SOURCE = env.choice("ZEMENTIS_DATA_SOURCE", default="local", options=("local", "cumulocity"))
C8Y_BASEURL = env.text("C8Y_BASEURL", default="")
C8Y_TENANT = env.text("C8Y_TENANT", default="")
C8Y_USER = env.text("C8Y_USER", default="")
C8Y_PASSWORD = env.text("C8Y_PASSWORD", default="")
C8Y_TIMEOUT_SECONDS = env.integer("C8Y_TIMEOUT_SECONDS", default=30, low=1, high=600)
C8Y_RETRIES = env.integer("C8Y_RETRIES", default=4, low=0, high=20)
if ZEMENTIS_DATA_SOURCE == "cumulocity":
    for _name in ("C8Y_BASEURL", "C8Y_TENANT", "C8Y_USER", "C8Y_PASSWORD"):
        if not env.has(_name):
            raise ImproperlyConfigured(f"{_name}: ZEMENTIS_DATA_SOURCE=cumulocity needs it.")
# What the local store's platform resources call their one tenant.
ZEMENTIS_TENANT = env.text("ZEMENTIS_TENANT", default="jobsite")
# A job or an object of the inventory; a batch of measurements, or records to score at once.
ZEMENTIS_BODY_LIMIT_BYTES = env.integer("ZEMENTIS_BODY_LIMIT_BYTES", default=1 << 20, low=1024, high=1 << 26)
ZEMENTIS_BATCH_LIMIT_BYTES = env.integer("ZEMENTIS_BATCH_LIMIT_BYTES", default=32 << 20, low=1024, high=1 << 28)
# One answer of a tenant: as large, unpacked, and as long in coming.
C8Y_RESPONSE_LIMIT_BYTES = env.integer("C8Y_RESPONSE_LIMIT_BYTES", default=64 << 20, low=1024, high=1 << 30)
C8Y_RESPONSE_SECONDS = env.integer("C8Y_RESPONSE_SECONDS", default=300, low=1, high=86400)
# Threads of one run that score while its own thread reads and writes the database.
ZEMENTIS_SCORING_THREADS = env.integer("ZEMENTIS_SCORING_THREADS", default=1, low=1, high=64)
# The heap of each Java process, in MB; read from the environment there, since the processes that inspect models know no
# settings.
ZEMENTIS_JAVA_HEAP_MB = env.integer("ZEMENTIS_JAVA_HEAP_MB", default=512, low=64, high=65536)
# How long a range of measurements one job may ask for; None: any.
ZEMENTIS_MAX_DATA_RANGE_SECONDS = env.optional_integer("ZEMENTIS_MAX_DATA_RANGE_SECONDS", low=1, high=10**9)

# -- The local stack (`manage.py stack`) -----------------------------------------------------------------------------

DEMO = env.flag("DEMO", default=not PRODUCTION)
ADMIN_USER = env.matching(
    "ADMIN_USER",
    default="admin",
    pattern=r"[\w.@+-]{1,150}",
    # Basic authentication ends a user's name at the first colon, and a slash ends the tenant's.
    expected="a name of 1 to 150 letters, digits and @ . + - _",
)
# Empty: a random one, kept in the data directory.
ADMIN_PASSWORD = env.text("ADMIN_PASSWORD", default="")
STACK_WEB_THREADS = env.integer("STACK_WEB_THREADS", default=16, low=1, high=256)
STACK_BEATS = env.integer("STACK_BEATS", default=2, low=1, high=8)
STACK_SERVICES_THREADS = env.integer("STACK_SERVICES_THREADS", default=8, low=1, high=64)
STACK_INFERENCE_PROCESSES = env.integer("STACK_INFERENCE_PROCESSES", default=1, low=1, high=64)

# -- Web security ----------------------------------------------------------------------------------------------------

# Whether TLS ends in front of us, at a proxy that sets X-Forwarded-Proto. Off for the stack on one machine.
HTTPS = env.flag("HTTPS", default=PRODUCTION)
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = policy.CONTENT_SECURITY_POLICY
SECURITY_HEADERS = policy.HEADERS
# Uploaded models are checked against their own limit; anything else larger than this is refused unread.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer("UPLOAD_LIMIT_BYTES", default=64 * 1024 * 1024, low=1024, high=1 << 31)
FORM_FIELDS_LIMIT = env.integer("FORM_FIELDS_LIMIT", default=1000, low=10, high=100000)
FORM_FILES_LIMIT = env.integer("FORM_FILES_LIMIT", default=10, low=1, high=1000)
DATA_UPLOAD_MAX_NUMBER_FIELDS = FORM_FIELDS_LIMIT
DATA_UPLOAD_MAX_NUMBER_FILES = FORM_FILES_LIMIT
# JSON that clients send, wherever: levels of nesting, members and items together, characters of one number.
JSON_DEPTH_LIMIT = env.integer("JSON_DEPTH_LIMIT", default=64, low=16, high=200)
JSON_ELEMENTS_LIMIT = env.integer("JSON_ELEMENTS_LIMIT", default=2_000_000, low=1000, high=100_000_000)
JSON_NUMBER_LIMIT = env.integer("JSON_NUMBER_LIMIT", default=400, low=64, high=4000)
HEADERS_LIMIT = env.integer("HEADERS_LIMIT", default=100, low=20, high=1000)
HEADERS_LIMIT_BYTES = env.integer("HEADERS_LIMIT_BYTES", default=32768, low=8192, high=262144)
# Requests in seconds, such as 600/60; 0: any. Far beyond what one machine serves people, and below what starves them.
RATE_LIMIT_PER_USER = env.rate("RATE_LIMIT_PER_USER", default="20000/60")
RATE_LIMIT_PER_ADDRESS = env.rate("RATE_LIMIT_PER_ADDRESS", default="40000/60")

# -- The web server --------------------------------------------------------------------------------------------------

# How long a client may take to send the head of a request, its body, and to take the answer. It holds no thread
# meanwhile; the bodies of all that are being sent may take so much memory and temporary files together, per process.
HEAD_SECONDS = env.integer("HEAD_SECONDS", default=10, low=1, high=600)
UPLOAD_SECONDS = env.integer("UPLOAD_SECONDS", default=300, low=1, high=86400)
DOWNLOAD_SECONDS = env.integer("DOWNLOAD_SECONDS", default=300, low=1, high=86400)
UPLOADS_LIMIT_BYTES = env.integer("UPLOADS_LIMIT_BYTES", default=512 << 20, low=1 << 20, high=1 << 40)
WEB_CONNECTIONS = env.integer("WEB_CONNECTIONS", default=1000, low=20, high=50000)

# How many logins may fail for one account before it has to wait, at all doors together; an address may five times that.
LOGIN_ATTEMPTS = env.integer("LOGIN_ATTEMPTS", default=10, low=1, high=10000)
LOGIN_WINDOW_SECONDS = env.integer("LOGIN_WINDOW_SECONDS", default=900, low=1, high=86400)
# The second factor of the console. Required: no session is anybody's that has not passed one.
MFA = env.choice("MFA", default="off", options=("off", "optional", "required"))

# -- Sign-in with an OpenID provider ---------------------------------------------------------------------------------

# As the provider writes itself, a slash at its end included. Empty: there is none.
OIDC_ISSUER = env.url("OIDC_ISSUER", default="", schemes=("https", "http")) if env.has("OIDC_ISSUER") else ""
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET", default="")
# On the button of the login page.
OIDC_NAME = env.text("OIDC_NAME", default="single sign-on")
OIDC_SCOPES = list(dict.fromkeys(["openid", *env.words("OIDC_SCOPES", default=("profile", "email"))]))
# Who gets in: accounts that were linked by hand, those with the same verified address too, or new ones as well.
OIDC_ACCOUNTS = env.choice("OIDC_ACCOUNTS", default="matched", options=("linked", "matched", "created"))
# Where the provider says what somebody may do, and which of its words is which role. Without any, roles are given here.
OIDC_ROLES_CLAIM = env.text("OIDC_ROLES_CLAIM", default="groups")
OIDC_ROLES = env.mapping("OIDC_ROLES", options=("viewer", "operator", "editor", "administrator"))
# Whether the provider asks for the second factor, so that MFA is passed with its word.
OIDC_PROVIDES_MFA = env.flag("OIDC_PROVIDES_MFA", default=False)
OIDC_SESSION_SECONDS = env.integer("OIDC_SESSION_SECONDS", default=28800, low=60, high=1209600)
# Hosts beside the issuer's that its configuration may name, and what may be called beyond the open network.
OIDC_HOSTS = env.words("OIDC_HOSTS", default=())
OIDC_ALLOW_ADDRESSES = env.networks(
    "OIDC_ALLOW_ADDRESSES",
    default=("private",) if PRODUCTION else ("loopback", "private"),
    words=("loopback", "private", "link-local"),
)
if OIDC_ISSUER:
    production.check_provider(
        OIDC_ISSUER, client=OIDC_CLIENT_ID, accounts=OIDC_ACCOUNTS, roles=OIDC_ROLES, at_home=not PRODUCTION
    )

# Proxies in front of us whose X-Forwarded-For is to be believed; 0: the peer is the client.
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", default=0, low=0, high=10)

# -- Monitoring ------------------------------------------------------------------------------------------------------

# What opens /metrics beside a login with the permission: a token, and addresses from which it is open.
METRICS_TOKEN = env.text("METRICS_TOKEN", default="")
METRICS_ALLOW_ADDRESSES = env.networks(
    "METRICS_ALLOW_ADDRESSES", default=() if PRODUCTION else ("loopback",), words=("loopback",)
)

# -- Mail ------------------------------------------------------------------------------------------------------------

EMAIL_HOST = env.text("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", default=25, low=1, high=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = env.integer("EMAIL_TIMEOUT_SECONDS", default=10, low=1, high=300)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="jobsite@localhost")

# -- Alerts ----------------------------------------------------------------------------------------------------------

# Where people reach the console, for the links in alerts. Empty: no links.
PUBLIC_URL = env.url("PUBLIC_URL", default="", schemes=("http", "https")) if env.has("PUBLIC_URL") else ""
# What channels and ping URLs may lead to beyond the open network, as with VOLTMX_ALLOW_ADDRESSES.
ALERTS_ALLOW_ADDRESSES = env.networks(
    "ALERTS_ALLOW_ADDRESSES",
    default=() if PRODUCTION else ("loopback", "private"),
    words=("loopback", "private", "link-local"),
)
# How long closed incidents and ended deliveries are kept.
ALERTS_KEEP_DAYS = env.integer("ALERTS_KEEP_DAYS", default=90, low=1, high=3650)

# -- Logging ---------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.choice("LOG_LEVEL", default="info", options=("debug", "info", "warning", "error")).upper()
LOG_FORMAT = env.choice("LOG_FORMAT", default="json" if PRODUCTION else "text", options=("json", "text"))
LOGGING = logs.configuration(level=LOG_LEVEL, form=LOG_FORMAT)
