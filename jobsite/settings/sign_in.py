"""Sign-in to the console with an OpenID provider."""

from jobsite import production
from jobsite.settings.place import PRODUCTION, env

env.section("Sign-in with an OpenID provider", "Off until `OIDC_ISSUER` is set. [How to](how-to/sign-in.md).")

OIDC_ISSUER = env.optional_url(
    "OIDC_ISSUER",
    schemes=("https", "http"),
    doc="The provider, as it writes its own name, a slash at the end included. Plain HTTP only for this machine in "
    "development.",
)
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID", default="", doc="What the provider calls the console.")
OIDC_CLIENT_SECRET = env.text(
    "OIDC_CLIENT_SECRET",
    default="",
    doc="The client's secret. Without one the console is a public client, with PKCE alone.",
)
OIDC_NAME = env.text("OIDC_NAME", default="single sign-on", doc="On the button of the login page.")
OIDC_SCOPES = list(
    dict.fromkeys(
        [
            "openid",
            *env.words("OIDC_SCOPES", default=("profile", "email"), doc="What is asked for beside `openid`."),
        ]
    )
)
OIDC_ACCOUNTS = env.choice(
    "OIDC_ACCOUNTS",
    default="matched",
    options=("linked", "matched", "created"),
    doc="Who gets in at the first time: `linked`, nobody who was not linked by `manage.py sign_in link`; `matched`, "
    "also who has the verified e-mail address of exactly one account that is no superuser's; `created`, a new account "
    "for everybody else who has a role.",
)
OIDC_ROLES_CLAIM = env.text(
    "OIDC_ROLES_CLAIM",
    default="groups",
    doc="Where the provider says what somebody may do; dots lead inwards: `realm_access.roles`.",
)
OIDC_ROLES = env.mapping(
    "OIDC_ROLES",
    options=("viewer", "operator", "editor", "administrator"),
    doc="Which of its words is which role: `jobsite-admins=administrator,staff=viewer`. Then the roles are the "
    "provider's affair at each sign-in, and who has none stays out.",
)
OIDC_PROVIDES_MFA = env.flag(
    "OIDC_PROVIDES_MFA",
    default=False,
    doc="The provider asks for a second factor itself: where its ID token says so, the console's own is not asked for.",
)
OIDC_MFA_WORDS = env.words(
    "OIDC_MFA_WORDS",
    default=("mfa",),
    doc="What the ID token says then: one of these is among its `amr` or is its `acr`.",
)
OIDC_SESSION_SECONDS = env.integer(
    "OIDC_SESSION_SECONDS", default=28800, low=60, high=1209600, doc="How long such a session lasts."
)
OIDC_HOSTS = env.words(
    "OIDC_HOSTS",
    default=(),
    doc="Hosts beside the issuer's that may be called for tokens, keys and claims, such as `oauth2.googleapis.com`.",
)
OIDC_ALLOW_ADDRESSES = env.networks(
    "OIDC_ALLOW_ADDRESSES",
    default=("loopback", "private"),
    production=("private",),
    words=("loopback", "private", "link-local"),
    doc="What may be called beyond the open network.",
)
if OIDC_ISSUER:
    production.check_provider(
        OIDC_ISSUER, client=OIDC_CLIENT_ID, accounts=OIDC_ACCOUNTS, roles=OIDC_ROLES, at_home=not PRODUCTION
    )
