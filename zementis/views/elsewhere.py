"""Paths below the service that lead nowhere."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponseBase

from zementis.views.base import SurfaceView


class NoSuchPathView(SurfaceView):
    """Answers 404 in the service's own form, to those who may know."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Every method gets the same answer."""
        self.http_method_names = [*type(self).http_method_names, (request.method or "").lower()]
        return super().dispatch(request, *args, **kwargs)

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell that there is nothing."""
        raise Http404("There is no such resource.")
