"""What this surface is, as OpenAPI: its operations by path and method, and the components they refer to.

``OPERATIONS`` maps (path, method) to an operation object, ``COMPONENTS`` section -> name -> object, ``PATH_PARAMETERS``
the names of the addresses' parameters to those of the reference.
"""

from voltmx.schema.accounts import ACCOUNT_OPERATIONS
from voltmx.schema.components import COMPONENTS
from voltmx.schema.jobs import JOB_OPERATIONS
from voltmx.schema.words import ACCOUNTS, JOBS

OPERATIONS = {**ACCOUNT_OPERATIONS, **JOB_OPERATIONS}
PATH_PARAMETERS = {"number": "jobId", "run": "jobRunId"}
TAGS = [
    {
        "name": ACCOUNTS,
        "description": "The login door. Tokens go bare into `X-VoltMX-Authorization` (older clients: "
        "`X-Kony-Authorization`). Errors come in the door's own shape, not in the FAIL envelope.",
    },
    {
        "name": JOBS,
        "description": "Scheduling Job APIs as a Foundry console answers them. Writes answer 200 with the SUCCESS "
        "envelope; whatever is refused, below `/admin/api/jobs`, gets the FAIL envelope under its HTTP status. Each "
        "path answers with and without a slash at its end, never with a redirect. Answers are JSON whatever `Accept` "
        "says. In requests null counts as absent, unknown members are ignored, wrong types are refused, and all "
        "problems of a request are told together.",
    },
]

__all__ = ["COMPONENTS", "OPERATIONS", "PATH_PARAMETERS", "TAGS"]
