"""Where requests go. The surfaces come first: the vendor's `/admin/api/jobs/…` lies in front of the Django admin."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from jobsite import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("admin/", admin.site.urls),
]
