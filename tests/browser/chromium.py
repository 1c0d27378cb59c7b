"""The system's Chromium: found, started, and watched while it shows the console."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, Response, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class ChromiumMissing(Exception):
    """No Chromium is on the PATH: install one (Debian, Ubuntu: apt install chromium) or name it in JOBSITE_CHROMIUM."""


def executable() -> str:
    """The browser's file: JOBSITE_CHROMIUM, else the first of its usual names on the PATH. Raises ChromiumMissing."""
    named = os.environ.get("JOBSITE_CHROMIUM")
    for name in (named,) if named else _NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise ChromiumMissing(f"{named} is no program" if named else ChromiumMissing.__doc__)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window. It shows only what the tests themselves serve; as root it has no sandbox."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=[*options, "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


# What the browser's own line leaves out: where it was, and how it began.
_POLICY = """document.addEventListener("securitypolicyviolation", (found) => console.error(
  `the policy forbids ${found.violatedDirective}: ${found.blockedURI} ${found.sourceFile}:${found.lineNumber} ` +
  `${found.sample} ${found.target && found.target.outerHTML ? found.target.outerHTML.slice(0, 200) : ""}`))"""


class Watch:
    """What went wrong on a page while it was used: errors of scripts, foreign hosts, failed or refused requests, and
    whatever the Content-Security-Policy forbade."""

    def __init__(self, page: Page, *, host: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._host = host
        self._refused_on_purpose: set[int] = set()
        page.add_init_script(_POLICY)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error in a script: {error}"))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        # Nobody answers questions here: what a page asks or a hostile name pops up is a complaint.
        page.on("dialog", self._dialog)

    def allow(self, status: int) -> None:
        """Take answers of this status, which the test provokes, and the browser's own line about them."""
        self._refused_on_purpose.add(status)

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(
            f"status of {code} " in message.text for code in self._refused_on_purpose
        ):
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self._host:
            self.complaints.append(f"asked another host: {request.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left, or types on, gives up what it had asked for itself.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self._refused_on_purpose:
            self.complaints.append(f"answered {response.status}: {response.url}")
