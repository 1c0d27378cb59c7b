"""The applications, what stands in front of their views, and what Django is told about pages and files."""

from jobsite.settings.place import BASE_DIR, DEBUG, PRODUCTION, env

env.section("Where and how it runs")

EXTRA_APPS = env.words(
    "EXTRA_APPS",
    default=(),
    doc="Further Django applications of your own; one with a module `job_type` adds kinds of jobs.",
)
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "jobsite",
    "scheduler",
    "accounts",
    "voltmx",
    "zementis",
    *EXTRA_APPS,
]
MIDDLEWARE = [
    # In front of those that may answer by themselves: every answer has the headers.
    "csp.middleware.CSPMiddleware",
    "jobsite.headers.HeadersMiddleware",
    "jobsite.request_ids.RequestIdMiddleware",
    "jobsite.health.HealthMiddleware",
    "accounts.origin.OriginMiddleware",
    "voltmx.middleware.VendorErrorsMiddleware",
    "zementis.middleware.SurfaceErrorsMiddleware",
    "jobsite.web.refused.RefusedMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "accounts.request_limits.RequestLimitsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.second_factor_middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "scheduler.console.refused.RefusedValuesMiddleware",
]
ROOT_URLCONF = "jobsite.urls"
WSGI_APPLICATION = "jobsite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # In front of the applications' own: what of the theme's pages is written differently here.
        "DIRS": [BASE_DIR / "jobsite" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# The vendors' paths are exact: a redirect to a path with a slash would turn their POST into a GET.
APPEND_SLASH = False
STATIC_URL = "static/"
STATIC_ROOT = (
    env.text(
        "STATIC_ROOT",
        default="",
        production=str(BASE_DIR / "staticfiles"),
        takes="path of a folder",
        shown="none; `staticfiles` in production",
        doc="Where `manage.py collectstatic` puts static files.",
    )
    or None
)
# In development whitenoise serves straight from the applications, which spares every start a collectstatic.
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
REST_FRAMEWORK = {
    # Each surface names its own vendor's scheme on its views; a view that forgets gets nobody in.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["jobsite.throttle.UserThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "jobsite.openapi.SurfaceSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Jobsite",
    "DESCRIPTION": "One job runner, two vendors' APIs: Volt MX Foundry's Scheduling Job APIs, and Cumulocity's "
    "Zementis jobs with the models, devices and measurements that they need.",
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["jobsite.openapi.expand_paths"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "jobsite.openapi.add_components"],
}
UNFOLD = {
    "SITE_TITLE": "Jobsite",
    "SITE_HEADER": "Jobsite",
    "SITE_SYMBOL": "schedule",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "scheduler.admin.site.favicon"}],
    "GLOBAL_CALLBACK": "scheduler.admin.site.context",
    "STYLES": ["scheduler.admin.site.theme", "scheduler.admin.site.stylesheet"],
    "SCRIPTS": ["scheduler.admin.site.expressions", "scheduler.admin.site.script"],
    "DASHBOARD_CALLBACK": "scheduler.admin.dashboard.context",
    "LOGIN": {"form": "accounts.login_form.LoginForm"},
    "ACCOUNT": {"navigation": "accounts.admin.account_links"},
    "SIDEBAR": {"show_search": True, "navigation": "scheduler.admin.site.navigation"},
}
