"""How the surfaces' logins appear in the OpenAPI schema. Importing it registers them with drf-spectacular."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class ClaimsTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The Volt MX login: a claims token, sent bare."""

    target_class = "voltmx.authentication.ClaimsAuthentication"
    name = "claimsToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "X-VoltMX-Authorization",
            "description": "The claims token that /authService/accounts/login answers with.",
        }


class PlatformBasicScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The Cumulocity login: Basic, with or without a tenant in front of the user."""

    target_class = "zementis.authentication.CumulocityAuthentication"
    name = "platformBasic"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "basic", "description": "user:password or tenant/user:password."}
