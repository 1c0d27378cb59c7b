"""Other ways into the console than a password alone. Each answers 404 where its setting is off."""

from django.urls import path

from accounts import console_login, second_factor_views
from accounts.oidc import views as oidc

urlpatterns = [
    path("login/", console_login.login),
    path("login/code/", second_factor_views.code, name="sign_in_code"),
    path("login/oidc/", oidc.start, name="oidc_start"),
    path("login/oidc/callback/", oidc.callback, name="oidc_callback"),
    path("second-factor/", second_factor_views.manage, name="second_factor"),
]
