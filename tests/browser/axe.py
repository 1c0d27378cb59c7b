"""What axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect


def violations(page: Page) -> list[str]:
    """What axe finds that is serious or critical, by rule and place."""
    # They are replaced, and named, a moment after the page was loaded.
    expect(page.locator("select.admin-autocomplete:not(.select2-hidden-accessible)")).to_have_count(0)
    expect(page.locator(".select2-selection:not([aria-label])")).to_have_count(0)
    answer = Axe().run(page).response
    return [
        f"{violation['id']}: {node['target']} {node['html'][:200]}"
        for violation in answer["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
