"""How many requests a user and an address may send: counted in Redis, where all web processes see them.

A counter lives for one window and costs a round trip of a fraction of a millisecond. While Redis is away requests are
answered uncounted: what must not be opened by that, the guessing of passwords, is counted in PostgreSQL
(``accounts.lockout``).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from accounts import origin

logger = logging.getLogger(__name__)

# A slow Redis must not slow every request down: it gets this long, and is then left alone for a while.
_PATIENCE_SECONDS = 0.25
_PAUSE_SECONDS = 5.0
_paused_until = 0.0
# Counts, starts the window with the first request, and tells the milliseconds to wait; 0: go on.
_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
if count <= tonumber(ARGV[2]) then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    left = tonumber(ARGV[1])
end
return left
"""


@dataclass(frozen=True)
class Rate:
    """So many requests in so many seconds; 0 requests: any number."""

    requests: int
    seconds: int


def of_address(address: str) -> int:
    """Count a request from an address; return the seconds until it may send another, 0 where it may now."""
    return _wait("address", origin.network_of(address), Rate(*settings.RATE_LIMIT_PER_ADDRESS)) if address else 0


def of_user(user: Any) -> int:
    """Count a request of a user who is logged in; return the seconds until they may send another, 0 where now."""
    return _wait("user", str(user.pk), Rate(*settings.RATE_LIMIT_PER_USER)) if user.is_authenticated else 0


def sentence(seconds: int) -> str:
    """Return what somebody is told who has to wait, without the full stop."""
    return f"Too many requests. Try again in {seconds} seconds"


def _wait(scope: str, name: str, rate: Rate) -> int:
    global _paused_until
    if not rate.requests or time.monotonic() < _paused_until:
        return 0
    try:
        left = _script()(keys=[_key(scope, name)], args=[rate.seconds * 1000, rate.requests])
    except (redis.RedisError, OSError) as error:
        _paused_until = time.monotonic() + _PAUSE_SECONDS
        logger.warning("requests.uncounted seconds=%g error=%s", _PAUSE_SECONDS, error)
        return 0
    return math.ceil(int(left) / 1000)


@lru_cache(maxsize=1)
def _script() -> Any:
    client = redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=_PATIENCE_SECONDS,
        socket_connect_timeout=_PATIENCE_SECONDS,
        health_check_interval=25,
        retry=Retry(NoBackoff(), 0),
    )
    return client.register_script(_COUNT)


def _key(scope: str, name: str) -> str:
    """Redis learns no address: what it holds may be backed up and read by others."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"{scope} {name}".encode("utf-8", "replace"), hashlib.sha256)
    return f"jobsite:requests:{digest.hexdigest()[:32]}"
