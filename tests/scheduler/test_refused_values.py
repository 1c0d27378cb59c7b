"""The console's addresses with values that no row can hold: refused, never a crash."""

import pytest
from django.contrib.auth.models import User
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/admin/scheduler/limit/a%00b/delete/",
        "/admin/scheduler/job/?name=%00",
        "/admin/zementis/scoringmodel/?name__regex=(",
        "/admin/scheduler/limit/a/delete/?_to_field=",
        "/admin/accounts/apitoken/?revoked_at__gte=0001-01-01T00:00:00%2B23:59",
    ],
)
def test_what_no_row_can_hold_is_refused(client: Client, address: str) -> None:
    client.force_login(User.objects.create_superuser("root"))
    client.raise_request_exception = False
    answer = client.get(address)
    assert (answer.status_code, b"Bad Request (400)" in answer.content) == (400, True)


@pytest.mark.django_db
def test_a_choice_that_is_no_key_is_refused(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    client.raise_request_exception = False
    assert client.post("/admin/scheduler/ping/add/", {"job": "[{}]"}).status_code == 400
