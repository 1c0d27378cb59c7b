"""Every setting, read from the environment and nowhere else, each with its default and its meaning.

`JOBSITE_ENV=production` takes no development default: it refuses to start without a secret, a database, a broker,
encryption keys and host names of its own. In development the embedded stack leaves the addresses and secrets of its
services in `DATA_DIR/stack.env`, so that `manage.py shell` beside a running stack finds them; the environment wins.

A new setting is one call of a typed reader of `env` (`jobsite.environment`) below an `env.section`, with its meaning as
`doc`; `manage.py settings_table` writes it into the page of settings, and a test holds the page to the code.
"""

# Django takes every name in capitals for a setting, whichever part declares it; the order is that of the page.
# ruff: noqa: F403, I001

from jobsite.settings.place import *
from jobsite.settings.applications import *
from jobsite.settings.servers import *
from jobsite.settings.security import *
from jobsite.settings.sign_in import *
from jobsite.settings.scheduler import *
from jobsite.settings.surfaces import *
from jobsite.settings.operation import *
from jobsite.settings.local import *
