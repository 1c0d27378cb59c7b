"""The local stack, `manage.py stack`."""

from jobsite.settings.place import env

env.section("The local stack (`make run`)")

DEMO = env.flag("DEMO", default=True, production=False, doc="Whether the demo is loaded and its services answer.")
ADMIN_USER = env.matching(
    "ADMIN_USER",
    default="admin",
    pattern=r"[\w.@+-]{1,150}",
    # Basic authentication ends a user's name at the first colon, and a slash ends the tenant's.
    expected="a name of 1 to 150 letters, digits and @ . + - _",
    doc="The administrator that is made sure of at every start.",
)
ADMIN_PASSWORD = env.text(
    "ADMIN_PASSWORD",
    default="",
    shown="random, kept in `DATA_DIR`",
    doc="Its password; set anew at every start where given.",
)
STACK_WEB_THREADS = env.integer("STACK_WEB_THREADS", default=16, low=1, high=256, doc="Requests answered at once.")
STACK_BEATS = env.integer("STACK_BEATS", default=2, low=1, high=8, doc="Beats.")
STACK_SERVICES_THREADS = env.integer("STACK_SERVICES_THREADS", default=8, low=1, high=64, doc="Service calls at once.")
STACK_INFERENCE_PROCESSES = env.integer(
    "STACK_INFERENCE_PROCESSES", default=1, low=1, high=64, doc="Model runs at once."
)
