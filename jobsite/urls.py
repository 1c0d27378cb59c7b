"""Where requests go. The surfaces come first: the vendor's `/admin/api/jobs/…` lies in front of the Django admin."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("voltmx.urls")),
    path("", include("zementis.urls")),
    path("admin/", admin.site.urls),
]
