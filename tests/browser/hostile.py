"""Texts that would be more than text where a page forgot what they are, and what tells that one was."""

from __future__ import annotations

from playwright.sync_api import Page

_IMAGE = "<img data-pwned src=x onerror=pwned()>"
HOSTILE = (
    f"""h"'>{_IMAGE}{{{{7*7}}}}""",
    f"</script></style></title></textarea></pre>{_IMAGE}",
    f"--></option></select></svg>]]>{_IMAGE}",
    """x" onmouseover="pwned()" x-init="pwned()" data-pwned=\"""",
    """x' onfocus='pwned()' autofocus x-data='{a: pwned()}' data-pwned='""",
    "javascript:pwned()",
    "{{ constructor.constructor('pwned()')() }} ${pwned()} {% load x %}",
    "';pwned();//\\';pwned();//\";pwned();//",
    "line\u2028paragraph\u2029pwned()",
    "\u202eright to left\u202d \u2066isolated",
    f"\U0001f600 \U00010348 {_IMAGE}",
    "&lt;img data-pwned src=x onerror=pwned()&gt; &#60;b data-pwned&#62;",
    "\\u003cimg data-pwned src=x onerror=pwned()\\u003e %3Cb%20data-pwned%3E",
)
WORST = HOSTILE[0]

# What the texts call; what it says in the console is a complaint.
TELL = "window.pwned = () => console.error('a hostile text was run');"
_FOUND = """() => [
  ...document.querySelectorAll(
    "[data-pwned], [onerror], [onmouseover], [onfocus], [autofocus][x-data], [x-init*=pwned], [x-data*=pwned]"
  ),
  ...[...document.querySelectorAll("[href], [action], [src]")].filter((each) =>
    ["href", "action", "src"].some((name) => (each.getAttribute(name) || "").trim().startsWith("javascript:"))),
].map((each) => each.outerHTML.slice(0, 300))"""


def became_markup(page: Page) -> list[str]:
    """The elements of a page that a hostile text has made or changed."""
    found: list[str] = page.evaluate(_FOUND)
    return found
