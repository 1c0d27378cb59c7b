"""Limits in the console."""

import pytest
from django.test import Client

from scheduler.models import Limit
from tests.scheduler.admin.pages import act, errors, url


def test_a_limit_is_set_changed_and_taken_away(boss: Client) -> None:
    boss.post(url("scheduler_limit_add"), {"key": "weather/api", "runs": "3"})
    assert list(Limit.objects.values_list("key", "runs")) == [("weather/api", 3)]
    boss.post(url("scheduler_limit_change", "weather_2Fapi"), {"key": "other", "runs": "5"})
    assert list(Limit.objects.values_list("key", "runs")) == [("weather/api", 5)]
    act(boss, "delete_selected", "weather/api", model="scheduler_limit", post="yes")
    assert not Limit.objects.exists()


@pytest.mark.parametrize("typed", [{"key": "", "runs": "1"}, {"key": "k", "runs": "0"}, {"key": "k", "runs": "9" * 12}])
def test_what_cannot_be_a_limit_is_refused(boss: Client, typed: dict[str, str]) -> None:
    answer = boss.post(url("scheduler_limit_add"), typed)
    assert errors(answer)
    assert not Limit.objects.exists()


def test_limits_need_their_permission(viewer: Client) -> None:
    assert viewer.get(url("scheduler_limit_changelist")).status_code == 403
    assert viewer.post(url("scheduler_limit_add"), {"key": "k", "runs": "1"}).status_code == 403
