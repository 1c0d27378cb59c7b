"""What every answer tells browsers, whoever made it."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from unfold.settings import get_config

from jobsite import policy
from jobsite.settings import BASE_DIR

PAGES = {
    "/healthz": 200,
    "/admin/login/": 200,
    "/admin/": 302,
    "/admin/nowhere": 302,
    "/nowhere": 404,
    "/metrics": 200,
    "/api/schedule/preview": 401,
    "/admin/api/jobs/job": 401,
    "/admin/api/jobs/nowhere/at/all": 404,
    "/authService/accounts/login": 405,
    "/service/zementis/jobs": 401,
    "/inventory/managedObjects": 401,
    "/static/scheduler/console.css": 200,
}
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; frame-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def told(answer: Any) -> dict[str, str]:
    """What an answer says of the headers that all have."""
    return {name: answer.headers.get(name, "") for name in ("Content-Security-Policy", *policy.HEADERS)}


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_them(client: Client, path: str) -> None:
    answer = client.get(path)
    policies = answer.headers["Content-Security-Policy"].split("; ")
    assert (answer.status_code, sorted(policies)) == (PAGES[path], sorted(POLICY.split("; ")))
    assert told(answer) == {**policy.HEADERS, "Content-Security-Policy": "; ".join(policies)}


@pytest.mark.django_db
def test_so_has_a_host_that_is_refused(client: Client) -> None:
    answer = client.get("/admin/", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, "" in told(answer).values()) == (400, False)


@pytest.mark.django_db
def test_no_page_has_a_script_or_a_style_in_it(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    pages = [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry]
    found = {page: client.get(page).content.decode() for page in ("/admin/", "/api/docs", *pages)}
    marks = ("<style", "<script>", " style=", " onclick=", "javascript:")
    assert {(page, mark) for page, text in found.items() for mark in marks if mark in text} == set()


def test_the_palette_is_the_themes() -> None:
    written = (Path(BASE_DIR) / "scheduler/static/scheduler/theme.css").read_text()
    wanted = [
        f"  --color-{name}-{weight}: {value};"
        for name, weights in get_config()["COLORS"].items()
        for weight, value in weights.items()
    ]
    assert [line for line in written.splitlines() if line.startswith("  ")] == wanted
