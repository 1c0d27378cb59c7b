"""Where requests go. The surfaces come first: the vendor's `/admin/api/jobs/…` lies in front of the Django admin."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView, TemplateView
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated

from jobsite.bearer import BearerAuthentication
from jobsite.metrics import metrics_view
from jobsite.openapi import DocumentGenerator
from jobsite.schedule_preview import SchedulePreviewView
from voltmx.authentication import ClaimsAuthentication
from zementis.authentication import CumulocityAuthentication

# What belongs to no surface takes the login of either, and of the console.
EVERY_LOGIN = [BearerAuthentication, CumulocityAuthentication, ClaimsAuthentication, SessionAuthentication]

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(
        r"^api/schedule/preview/?$",
        SchedulePreviewView.as_view(authentication_classes=EVERY_LOGIN),
        name="schedule_preview",
    ),
    re_path(r"^metrics/?$", metrics_view, name="metrics"),
    re_path(
        r"^api/schema/?$",
        SpectacularAPIView.as_view(
            generator_class=DocumentGenerator,
            authentication_classes=EVERY_LOGIN,
            permission_classes=[IsAuthenticated],
        ),
        name="schema",
    ),
    re_path(
        r"^api/docs/?$",
        login_required(TemplateView.as_view(template_name="jobsite/api_docs.html"), login_url="admin:login"),
        name="api_docs",
    ),
    path("", include("voltmx.urls")),
    path("", include("zementis.urls")),
    path("admin/", include("accounts.urls")),
    path("admin/", admin.site.urls),
    # What a person types; nothing else is ever redirected, as a POST would lose its body.
    re_path(r"^(?:admin)?\Z", RedirectView.as_view(pattern_name="admin:index", http_method_names=["get", "head"])),
]
