"""What stands between strangers and the views: TLS, headers, limits, logins, and the web server's patience."""

from jobsite import policy
from jobsite.settings.place import env

env.section("Security")

# Off for the stack on one machine.
HTTPS = env.flag(
    "HTTPS",
    default=False,
    production=True,
    doc="TLS ends in front of us, at a proxy that sets `X-Forwarded-Proto`; plain requests are redirected and cookies "
    "are for HTTPS only.",
)
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
LOGIN_ATTEMPTS = env.integer(
    "LOGIN_ATTEMPTS",
    default=10,
    low=1,
    high=10000,
    doc="Failed logins of one account, at all doors together, before it must wait; an address may five times that.",
)
LOGIN_WINDOW_SECONDS = env.integer(
    "LOGIN_WINDOW_SECONDS", default=900, low=1, high=86400, doc="Within and for which time that holds."
)
# Required: no session is anybody's that has not passed one.
MFA = env.choice(
    "MFA",
    default="off",
    options=("off", "optional", "required"),
    doc="The console's second factor: `optional` for who sets one up, `required` of everybody. See "
    "[sign-in](how-to/sign-in.md).",
)
MFA_ENROLMENT = env.choice(
    "MFA_ENROLMENT",
    default="password",
    options=("password", "code"),
    doc="What setting one up takes: `password`, nothing more than the login; `code`, also a code that an administrator "
    "made with `manage.py sign_in enrol`, so that who has stolen a password does not make the factor theirs.",
)
TRUSTED_PROXIES = env.integer(
    "TRUSTED_PROXIES",
    default=0,
    low=0,
    high=10,
    doc="How many proxies in front of us may be believed about `X-Forwarded-For`; `0`: the peer is the client. With "
    "more than there are, clients choose the address that limits and the audit know them by; with fewer, all share the "
    "proxy's.",
)
# Uploaded models are checked against their own limit; anything else larger than this is refused unread.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.integer(
    "UPLOAD_LIMIT_BYTES",
    default=64 << 20,
    low=1024,
    high=1 << 31,
    doc="The largest request body, unpacked; what a surface takes may be less.",
)
FORM_FIELDS_LIMIT = env.integer("FORM_FIELDS_LIMIT", default=1000, low=10, high=100000, doc="Fields of one form.")
FORM_FILES_LIMIT = env.integer("FORM_FILES_LIMIT", default=10, low=1, high=1000, doc="Files of one form.")
DATA_UPLOAD_MAX_NUMBER_FIELDS = FORM_FIELDS_LIMIT
DATA_UPLOAD_MAX_NUMBER_FILES = FORM_FILES_LIMIT
JSON_DEPTH_LIMIT = env.integer(
    "JSON_DEPTH_LIMIT",
    default=64,
    low=16,
    high=200,
    doc="Levels of nesting of JSON that clients send or people type.",
)
JSON_ELEMENTS_LIMIT = env.integer(
    "JSON_ELEMENTS_LIMIT",
    default=2_000_000,
    low=1000,
    high=100_000_000,
    doc="Its members and items, all together.",
)
JSON_NUMBER_LIMIT = env.integer(
    "JSON_NUMBER_LIMIT", default=400, low=64, high=4000, doc="Characters of one number in it."
)
HEADERS_LIMIT = env.integer("HEADERS_LIMIT", default=100, low=20, high=1000, doc="Header fields of a request.")
HEADERS_LIMIT_BYTES = env.integer(
    "HEADERS_LIMIT_BYTES", default=32768, low=8192, high=262144, doc="Their bytes, all together."
)
# Far beyond what one machine serves people, and below what starves them.
RATE_LIMIT_PER_USER = env.rate(
    "RATE_LIMIT_PER_USER",
    default="20000/60",
    doc="Requests of one user in so many seconds, wherever they are sent; `0`: any number.",
)
RATE_LIMIT_PER_ADDRESS = env.rate(
    "RATE_LIMIT_PER_ADDRESS",
    default="40000/60",
    doc="Requests from one IPv4 address or one IPv6 network of 64 bits; `0`: any number.",
)

env.section("The web server", "For each process. More on what they are for in [security](security.md#limits).")

WEB_CONNECTIONS = env.integer(
    "WEB_CONNECTIONS",
    default=1000,
    low=20,
    high=50000,
    doc="Connections at once. Where all are taken, one of the address that has most gives way, or else the oldest with "
    "an unfinished head.",
)
# A client that is slow holds no thread meanwhile.
HEAD_SECONDS = env.integer(
    "HEAD_SECONDS", default=10, low=1, high=600, doc="How long the head of a request may take to come."
)
UPLOAD_SECONDS = env.integer("UPLOAD_SECONDS", default=300, low=1, high=86400, doc="How long its body may take.")
DOWNLOAD_SECONDS = env.integer(
    "DOWNLOAD_SECONDS",
    default=300,
    low=1,
    high=86400,
    doc="How long a client may take to read what is left of an answer once it is complete.",
)
UPLOADS_LIMIT_BYTES = env.integer(
    "UPLOADS_LIMIT_BYTES",
    default=512 << 20,
    low=1 << 20,
    high=1 << 40,
    doc="Requests that are arriving, all together, in memory and in temporary files; beyond it the address that holds "
    "most is told 503.",
)
