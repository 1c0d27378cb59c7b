"""`python -m tests.live.openid PORT REDIRECT_URI` serves until it is killed, and keeps its things in OPENID_FOLDER."""

import os
import sys

import django


def main() -> None:
    """Make the tables, three users and a client, say that all is there, and serve."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.live.openid.settings"
    django.setup()

    from allauth.account.models import EmailAddress
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    for name in ("ada", "bob", "eve"):
        user = User.objects.create_user(name, f"{name}@example.com", "provider's password")
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    client = Client(id="console", name="Jobsite", skip_consent=True, redirect_uris=sys.argv[2])
    client.set_scopes(["openid", "profile", "email"])
    client.set_secret("console's secret")
    client.save()
    server = ThreadedWSGIServer(("127.0.0.1", int(sys.argv[1])), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    server.serve_forever()


main()
