"""Public holidays of countries and their parts, from the package ``holidays``.

The package is imported when it is first asked, since most processes never are, and a beat without calendars should not
carry it.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from scheduler.exceptions import InvalidCalendar

_LANGUAGE = "en_US"


@lru_cache(maxsize=1)
def countries() -> dict[str, str]:
    """Return ISO code -> English name of the countries whose holidays are known, by name."""
    from holidays.registry import COUNTRIES

    named = {codes[1]: module.replace("_", " ").title() for module, codes in COUNTRIES.items()}
    return dict(sorted(named.items(), key=lambda item: item[1]))


@lru_cache(maxsize=256)
def subdivisions(country: str) -> tuple[str, ...]:
    """Return the codes of the parts of ``country`` that have holidays of their own. Raises ``InvalidCalendar``."""
    if country not in countries():
        raise InvalidCalendar("country", f"'{country[:8]}' is not the code of a country whose holidays are known")
    import holidays

    return tuple(getattr(holidays, country).subdivisions)


def check(country: str, subdivision: str) -> None:
    """Raise ``InvalidCalendar`` unless there are holidays of ``subdivision`` (or none) of ``country`` (or none)."""
    if not country:
        if subdivision:
            raise InvalidCalendar("subdivision", "a subdivision needs its country")
        return
    known = subdivisions(country)
    if subdivision and subdivision not in known:
        these = f"it is one of {', '.join(known)}" if known else "the country has none"
        raise InvalidCalendar("subdivision", f"'{subdivision[:32]}' is no subdivision of {country}: {these}")


@lru_cache(maxsize=1024)
def holidays_of(country: str, subdivision: str, year: int) -> dict[date, str]:
    """Return the public holidays of one year with their names, days off in lieu among them."""
    import holidays

    languages = getattr(holidays, country).supported_languages
    # A holiday's day in lieu may lie in the year before or after it.
    years = [near for near in (year - 1, year, year + 1) if 1 <= near <= 9999]
    found = holidays.country_holidays(
        country,
        subdiv=subdivision or None,
        years=years,
        expand=False,
        language=_LANGUAGE if _LANGUAGE in languages else None,
    )
    return {day: name for day, name in found.items() if day.year == year}
