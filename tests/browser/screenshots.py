"""`make screenshots`: writes docs/screenshots/*.png from the demo, with runs that really ran.

They all run within a minute; then their instants are moved back, so that a day and a year have something to show.
"""

from pathlib import Path

import psycopg
from playwright.sync_api import Page, expect

from tests.browser.chromium import chromium
from tests.browser.pages import JOBS, PHONE, card, newest_run, open_job, run_now, tile
from tests.browser.stack import PASSWORD, USER, stack

PLACE = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LARGEST_BYTES = 200_000
ROUNDS = 60

# Name, service, operation, schedule; each runs once in so many rounds.
_JOBS = (
    ("orders-to-erp", "demo", "echo", "0 0/10 * * * ? *", 1),
    ("stock-levels", "demo", "echo", "0 5/15 6-22 ? * MON-SAT *", 2),
    ("invoice-mail", "demo", "echo", "0 30 7 ? * MON-FRI *", 3),
    ("legacy-import", "demo", "failing", "0 0 0/2 * * ? *", 9),
    ("ledger-close", "demo", "echo", "0 0 23 L * ? *", 12),
    ("warehouse-sync", "faults", "slow", "0 0 4 * * ? *", 0),
)

# The newest three fifths fill the last day, the others the months before; the order stays that of the ids.
_MOVE = """
WITH place AS (
    SELECT id, row_number() OVER (ORDER BY id DESC)::float8 / count(*) OVER () AS share
      FROM scheduler_execution WHERE status IN (2, 3, 4, 5, 6)
), moved AS (
    SELECT id, CASE WHEN share < 0.6 THEN share / 0.6 * interval '23 hours'
                    ELSE interval '23 hours' + (share - 0.6) / 0.4 * interval '200 days' END AS back
      FROM place
)
UPDATE scheduler_execution run
   SET scheduled_for = scheduled_for - back, created_at = created_at - back, ready_at = ready_at - back,
       started_at = started_at - back, ended_at = ended_at - back
  FROM moved WHERE moved.id = run.id
"""


def take_all() -> None:
    """Write all pictures, none larger than a README should load."""
    PLACE.mkdir(exist_ok=True)
    with stack() as running, chromium() as browser:
        for name, service, operation, frequency, _often in _JOBS:
            running.add_service_job(name, service=service, operation=operation, jobFrequency=frequency)
        numbers = {job["jobName"]: job["jobId"] for job in running.call("GET", "job")}
        for turn in range(1, ROUNDS + 1):
            for name, *_, often in (("weather-demo", 1), *_JOBS):
                if often and turn % often == 0:
                    running.call("POST", f"job/run/{numbers[name]}")
        context = browser.new_context(
            base_url=running.url, viewport={"width": 1280, "height": 900}, timezone_id="Europe/Amsterdam"
        )
        page = context.new_page()
        page.goto("/admin/")
        page.get_by_label("Username").fill(USER)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        scored = _run(page, "Knocks in the hall")
        _run(page, "weather-demo")
        address = (running.data / "stack.env").read_text().split("DATABASE_URL=")[1].splitlines()[0]
        with psycopg.connect(address) as connection:
            connection.execute(_MOVE)
        running.call("POST", f"job/run/{numbers['warehouse-sync']}")
        _pictures(page, scored)
        context.close()
        running.foundry.held.set()


def _run(page: Page, name: str) -> str:
    """Run a job three times; the key of its last run."""
    for _ in range(3):
        open_job(page, name)
        run_now(page)
        expect(tile(page, "Status")).to_contain_text("succeeded", timeout=60_000)
    return page.url.split("/")[-3]


def _pictures(page: Page, scored: str) -> None:
    page.goto("/admin/")
    expect(card(page, "Running now")).to_contain_text("warehouse-sync")
    _take(page, "dashboard", height=1000)
    page.goto(JOBS)
    _take(page, "jobs", height=760)
    open_job(page, "weather-demo")
    _take(page, "job", height=1330)
    newest_run(page).click()
    expect(card(page, "Timeline")).to_be_visible()
    _take(page, "run", height=1000)
    page.goto(f"/admin/zementis/inferencepage/execution/{scored}/")
    _take(page, "plot", height=640)
    page.set_viewport_size(PHONE)
    page.goto("/admin/")
    expect(card(page, "Running now")).to_contain_text("warehouse-sync")
    _take(page, "phone", height=1000)


def _take(page: Page, name: str, *, height: int) -> None:
    """Take a picture of the page's beginning, of less height where it would be larger than allowed."""
    size = page.viewport_size
    assert size is not None
    page.evaluate("document.fonts.ready")
    path = PLACE / f"{name}.png"
    while True:
        page.set_viewport_size({"width": size["width"], "height": height})
        page.screenshot(path=path, animations="disabled")
        if path.stat().st_size < LARGEST_BYTES:
            break
        height = height * 9 // 10
    page.set_viewport_size(size)
    print(f"docs/screenshots/{path.name} {path.stat().st_size:,} bytes")
