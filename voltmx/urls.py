"""The surface's addresses, each with or without a slash at its end: a redirect would lose a POST's body."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, re_path

from voltmx.demo import views as demo
from voltmx.views import accounts, jobs

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^authService/accounts/login/?\Z", accounts.Login.as_view(), name="voltmx-login"),
    re_path(r"^authService/accounts/claims/?\Z", accounts.Claims.as_view(), name="voltmx-claims"),
    re_path(r"^authService/accounts/logout/?\Z", accounts.Logout.as_view(), name="voltmx-logout"),
    re_path(r"^authService/accounts(?:/.*)?\Z", accounts.Nothing.as_view(), name="voltmx-accounts-nothing"),
    re_path(r"^admin/api/jobs/job/?\Z", jobs.AllJobs.as_view(), name="voltmx-jobs"),
    re_path(r"^admin/api/jobs/job/run/(?P<number>[^/]+)/?\Z", jobs.RunNow.as_view(), name="voltmx-run"),
    # The reference prints …/job1; clients that build paths from parts send …/job/1.
    re_path(r"^admin/api/jobs/job/?(?P<number>[^/]+)/?\Z", jobs.OneJob.as_view(), name="voltmx-job"),
    re_path(r"^admin/api/jobs/history/(?P<number>[^/]+)/?\Z", jobs.History.as_view(), name="voltmx-history"),
    re_path(
        r"^admin/api/jobs/history/(?P<number>[^/]+)/(?P<run>[^/]+)/?\Z", jobs.Run.as_view(), name="voltmx-history-run"
    ),
    re_path(r"^admin/api/jobs(?:/.*)?\Z", jobs.Nothing.as_view(), name="voltmx-jobs-nothing"),
]
if settings.DEMO:
    urlpatterns += [
        re_path(r"^services/.*\Z", demo.foundry, name="voltmx-demo-services"),
        re_path(r"^authService/[^/]+/login/?\Z", demo.foundry, name="voltmx-demo-login"),
    ]
