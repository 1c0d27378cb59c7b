"""The login door's operations."""

from __future__ import annotations

from typing import Any

from voltmx.schema.words import ACCOUNTS, answer, content, ref

_LOGIN_SAMPLE = {
    "profile": {
        "userid": "user.name@example.com",
        "email": "user.id@example.com",
        "firstname": "Ada",
        "lastname": "King",
        "user_attributes": {"user_id": "user.name@example.com"},
        "profile_attributes": {
            "firstname": "Ada",
            "userid": "user.name@example.com",
            "email": "user.id@example.com",
            "lastname": "King",
        },
    },
    "claims_token": {"value": "xxxxx", "exp": 1540293966000, "integrity_check_required": False},
    "refresh_token": "xxxxx",
}
_NO_STORE = {
    "Cache-Control": {"description": "Keeps tokens out of caches.", "schema": {"type": "string", "const": "no-store"}}
}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/VoltmxAuthError{status}"} for status in statuses}


_WELCOME = {
    **answer("The tokens.", ref("VoltmxLoginAnswer"), example=_LOGIN_SAMPLE),
    "headers": _NO_STORE,
}

ACCOUNT_OPERATIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("/authService/accounts/login", "post"): {
        "operationId": "voltmx_login",
        "summary": "Log in",
        "description": "Form fields as the reference has them, or JSON. Wrong passwords, unknown and inactive accounts "
        "answer the same.",
        "tags": [ACCOUNTS],
        "security": [],
        "requestBody": {
            "required": True,
            "content": content(
                ref("VoltmxLogin"),
                "application/x-www-form-urlencoded",
                "application/json",
                "multipart/form-data",
                examples={"sample": {"userid": "user.name@example.com", "password": "xxxxx"}},
            ),
        },
        "responses": {
            "200": _WELCOME,
            **_refusals(400, 401, 408, 413, 415, 429, 431, 503),
        },
    },
    ("/authService/accounts/claims", "post"): {
        "operationId": "voltmx_refresh",
        "summary": "Exchange a refresh token for fresh tokens",
        "tags": [ACCOUNTS],
        "security": [{"refreshToken": []}],
        "responses": {"200": _WELCOME, **_refusals(400, 401, 429, 431, 503)},
    },
    ("/authService/accounts/logout", "post"): {
        "operationId": "voltmx_logout",
        "summary": "End a login",
        "description": "Revokes every token of the login that the token sent belongs to, claims or refresh.",
        "tags": [ACCOUNTS],
        "security": [{"refreshToken": []}, {"claimsToken": []}, {"claimsTokenKony": []}],
        "responses": {
            "200": {
                **answer("Done.", {"type": "object", "maxProperties": 0}, example={}),
                "headers": _NO_STORE,
            },
            **_refusals(400, 401, 429, 431, 503),
        },
    },
}
