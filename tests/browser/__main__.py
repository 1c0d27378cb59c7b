"""`make screenshots`: sets up Django, then takes the pictures."""

import os
import sys

import django


def main() -> int:
    """The exit code: 1 where there is no Chromium."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")
    django.setup()
    from tests.browser import screenshots
    from tests.browser.chromium import ChromiumMissing, executable

    try:
        executable()
    except ChromiumMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    screenshots.take_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
