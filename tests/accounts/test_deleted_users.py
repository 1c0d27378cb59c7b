"""A user is deleted in the console while others work with it."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.signals import pre_delete
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken
from tests.scheduler.threads import together


@pytest.mark.django_db(transaction=True)
def test_a_token_that_is_made_as_its_user_is_deleted_leaves_both_and_says_so() -> None:
    boss = User.objects.create_superuser("boss")
    ada = User.objects.create_user("ada")

    def make_token(**_: Any) -> None:
        assert together(lambda: ApiToken.objects.create(owner=ada, name="late", expires_at=timezone.now()))

    client = Client()
    client.force_login(boss)
    pre_delete.connect(make_token, sender=User)
    try:
        answer = client.post(reverse("admin:auth_user_delete", args=[ada.pk]), {"post": "yes"})
    finally:
        pre_delete.disconnect(make_token, sender=User)
    assert (answer.status_code, User.objects.filter(pk=ada.pk).exists(), ApiToken.objects.count()) == (409, True, 1)
