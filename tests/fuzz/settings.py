"""The settings of a fuzzed stack: those of the project, but passwords are hashed cheaply.

A login costs a tenth of a second by design, and a fuzzer tries thousands.
"""

from jobsite.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The environment's limit is 10000; nobody is to be told 429 for most of a run.
LOGIN_ATTEMPTS = 10**9
# A fuzzer is one user at one address.
RATE_LIMIT_PER_USER = RATE_LIMIT_PER_ADDRESS = (0, 1)
