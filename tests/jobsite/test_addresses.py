"""What people type into a browser leads to the console."""

import pytest
from django.test import Client


@pytest.mark.parametrize("address", ["/", "/admin"])
def test_a_bare_address_leads_to_the_console(client: Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
