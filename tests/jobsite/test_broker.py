"""The channels through which workers fetch messages."""

import pytest
from django.conf import settings
from redis import Redis

from jobsite.broker import PromptConnection

pytestmark = pytest.mark.django_db


def test_a_channel_asks_with_one_client_until_its_connections_are_given_up(broker: Redis) -> None:
    with PromptConnection(settings.CELERY_BROKER_URL) as connection, connection.channel() as channel:

        def client() -> Redis:
            with channel.conn_or_acquire() as acquired:
                assert acquired.ping()
                found: Redis = acquired
                return found

        first, second = client(), client()
        channel._disconnect_pools()
        assert (second is first, client() is first) == (True, False)
        # Who fetches has a state of its own.
        assert channel._create_client(asynchronous=True) is not channel._create_client(asynchronous=True)
