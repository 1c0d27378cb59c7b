"""Paths of the platform's resources."""

from __future__ import annotations

from django.urls import re_path

from zementis.platform.base import ROOMS
from zementis.platform.children import ChildrenView, ChildView
from zementis.platform.elsewhere import NoSuchPlatformPathView
from zementis.platform.inventory import (
    ManagedObjectsView,
    ManagedObjectView,
    SupportedMeasurementsView,
    SupportedSeriesView,
)
from zementis.platform.measurements import MeasurementsView, MeasurementView
from zementis.platform.series import SeriesView
from zementis.platform.tenant import CurrentTenantView, CurrentUserView

_OBJECT = r"^inventory/managedObjects/(?P<object>[^/]+)"
_FAMILY = "(?P<family>childAssets|childDevices|childAdditions)"

urlpatterns = [
    re_path(r"^inventory/managedObjects/?$", ManagedObjectsView.as_view()),
    re_path(rf"{_OBJECT}/?$", ManagedObjectView.as_view()),
    re_path(rf"{_OBJECT}/supportedSeries/?$", SupportedSeriesView.as_view()),
    re_path(rf"{_OBJECT}/supportedMeasurements/?$", SupportedMeasurementsView.as_view()),
    re_path(rf"{_OBJECT}/{_FAMILY}/?$", ChildrenView.as_view()),
    re_path(rf"{_OBJECT}/{_FAMILY}/(?P<child>[^/]+)/?$", ChildView.as_view()),
    re_path(r"^measurement/measurements/?$", MeasurementsView.as_view()),
    re_path(r"^measurement/measurements/series/?$", SeriesView.as_view()),
    re_path(r"^measurement/measurements/(?P<measurement>[^/]+)/?$", MeasurementView.as_view()),
    re_path(r"^tenant/currentTenant/?$", CurrentTenantView.as_view()),
    re_path(r"^user/currentUser/?$", CurrentUserView.as_view()),
    re_path(rf"^(?:{'|'.join(ROOMS)})(?:/|\Z)", NoSuchPlatformPathView.as_view()),
]
