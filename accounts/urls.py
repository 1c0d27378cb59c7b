"""Doors of the console: other ways in than a password alone, which answer 404 where their setting is off."""

from django.urls import path

from accounts import console_login, password_change, second_factor_views
from accounts.oidc import views as oidc

urlpatterns = [
    path("login/", console_login.login),
    path("password_change/", password_change.change),
    path("login/code/", second_factor_views.code, name="sign_in_code"),
    path("login/oidc/", oidc.start, name="oidc_start"),
    path("login/oidc/callback/", oidc.callback, name="oidc_callback"),
    path("second-factor/", second_factor_views.manage, name="second_factor"),
]
