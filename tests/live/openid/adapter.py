"""What the provider tells of its users beyond the standard: their groups, from a file that a test writes."""

import json
from typing import Any

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from django.conf import settings


class Adapter(DefaultOIDCAdapter):  # type: ignore[misc]
    """Adds the claim ``groups``."""

    def get_claims(self, purpose: Any, user: Any, client: Any, scopes: Any, **more: Any) -> dict[str, Any]:
        """Return the claims of the standard and the groups as they are now."""
        groups = json.loads((settings.FOLDER / "groups.json").read_text())  # type: ignore[misc]
        claims = super().get_claims(purpose, user, client, scopes, **more)
        return {**claims, "groups": groups.get(user.get_username(), [])}
