"""Paths below the platform's prefixes that lead nowhere."""

from __future__ import annotations

from zementis.platform.base import PlatformView
from zementis.views.elsewhere import NoSuchPathView


class NoSuchPlatformPathView(NoSuchPathView, PlatformView):
    """Answers 404 in the platform's form."""

    get_exception_handler = PlatformView.get_exception_handler
