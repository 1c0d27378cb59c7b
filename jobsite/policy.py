"""What a browser may do with our pages: the Content-Security-Policy, and the headers beside it.

Nothing in a page itself is script or style, so that there is nothing to make an exception for, and nothing evaluates
text: scheduler/static/scheduler/expressions.js reads the theme's expressions.
"""

from __future__ import annotations

from csp.constants import NONE, SELF

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


# As django-csp wants it. A sign-in with a provider begins with a link: no form leads to another origin.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        # Icons in the style sheet of Swagger UI.
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "frame-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
