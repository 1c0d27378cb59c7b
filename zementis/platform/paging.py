"""Pages of a collection, as all of the platform's collections come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from rest_framework.request import Request

from zementis.errors import Unprocessable
from zementis.job_form import shown
from zementis.platform.base import flag, text
from zementis.views.base import positive

DEFAULT_SIZE = 5
MAX_SIZE = 2_000
_LAST_ROW = 2**62


@dataclass(frozen=True)
class PageRequest:
    """Which page a client asks for, and whether it wants the totals."""

    number: int
    size: int
    with_pages: bool
    with_elements: bool

    @classmethod
    def of(cls, request: Request) -> PageRequest:
        """Read ``currentPage``, ``pageSize``, ``withTotalPages``, ``withTotalElements``. Raises ``Unprocessable``."""
        number = _number(request, "currentPage", default=1)
        size = _number(request, "pageSize", default=DEFAULT_SIZE)
        if size > MAX_SIZE:
            raise Unprocessable(f"pageSize must be at most {MAX_SIZE}, not {shown(str(size))}.")
        return cls(number, size, flag(request, "withTotalPages"), flag(request, "withTotalElements"))

    @property
    def offset(self) -> int:
        """How many elements come before the page."""
        return min((self.number - 1) * self.size, _LAST_ROW)


def collection(
    request: Request,
    name: str,
    found: Sequence[Any],
    page: PageRequest,
    *,
    count: Callable[[], int],
    render: Callable[[Any], Any],
) -> dict[str, Any]:
    """Return a page of a collection. ``found`` holds one element more than the page where another page follows."""
    shown_items = found[: page.size]
    statistics: dict[str, Any] = {"currentPage": page.number, "pageSize": page.size}
    if page.with_pages or page.with_elements:
        total = count()
        if page.with_pages:
            statistics["totalPages"] = max(1, -(-total // page.size))
        if page.with_elements:
            statistics["totalElements"] = total
    answer: dict[str, Any] = {"self": _address(request, page.number)}
    if len(found) > page.size:
        answer["next"] = _address(request, page.number + 1)
    if page.number > 1:
        answer["prev"] = _address(request, page.number - 1)
    return {**answer, name: [render(item) for item in shown_items], "statistics": statistics}


def _address(request: Request, number: int) -> str:
    pairs = [(key, value) for key, values in request.query_params.lists() if key != "currentPage" for value in values]
    base = request._request.build_absolute_uri(request._request.path)
    return f"{base}?{urlencode([*pairs, ('currentPage', str(number))], errors='replace')}"


def _number(request: Request, name: str, *, default: int) -> int:
    value = text(request, name)
    if value is None:
        return default
    number = positive(value)
    if number is None:
        raise Unprocessable(f"{name} must be a positive whole number, not '{shown(value)}'.")
    return number
