"""The lease on a duty that one beat has at a time."""

from datetime import timedelta

import pytest

from scheduler import clock
from scheduler.models import Leader
from scheduler.stock import lead

LEASE = 600.0

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("left", "passes_on"),
    [
        (timedelta(seconds=-1), True),
        (timedelta(minutes=5), False),
        # Renewed a moment after the question came, which waited for that.
        (timedelta(minutes=15), False),
        # Taken before the database's clock was set back by an hour.
        (timedelta(minutes=60), True),
    ],
)
def test_a_lease_of_another_holds_as_long_as_it_can_be_one(left: timedelta, passes_on: bool) -> None:
    Leader.objects.create(duty="duty", holder="another", until=clock.exact_now() + left)
    assert lead("duty", "me", seconds=LEASE) == passes_on
    assert Leader.objects.get(duty="duty").holder == ("me" if passes_on else "another")


def test_its_holder_keeps_it() -> None:
    assert [lead("duty", "me", seconds=LEASE) for _ in range(2)] == [True, True]
    assert not lead("duty", "another", seconds=LEASE)
