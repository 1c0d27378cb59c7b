"""What this surface is, as OpenAPI: its operations by path and method, and the components they refer to.

``OPERATIONS`` maps (path, method) to an operation object, ``COMPONENTS`` section -> name -> object, ``PATH_PARAMETERS``
the names of the addresses' parameters to those of the reference.
"""

from zementis.schema.children import CHILDREN_OPERATIONS
from zementis.schema.inventory import INVENTORY_OPERATIONS
from zementis.schema.jobs import JOB_OPERATIONS
from zementis.schema.measurements import MEASUREMENT_OPERATIONS
from zementis.schema.models import MODEL_OPERATIONS
from zementis.schema.platform_shapes import PLATFORM_SCHEMAS
from zementis.schema.service_shapes import SERVICE_SCHEMAS
from zementis.schema.words import INVENTORY, JOBS, MEASUREMENTS, MODELS, refusal_responses

OPERATIONS = {
    **JOB_OPERATIONS,
    **MODEL_OPERATIONS,
    **INVENTORY_OPERATIONS,
    **CHILDREN_OPERATIONS,
    **MEASUREMENT_OPERATIONS,
}
COMPONENTS = {"responses": refusal_responses(), "schemas": {**SERVICE_SCHEMAS, **PLATFORM_SCHEMAS}}
PATH_PARAMETERS = {
    "job": "jobId",
    "execution": "executionId",
    "name": "modelName",
    "object": "id",
    "child": "childId",
    "measurement": "id",
}
_SLASH = "Each path answers with and without a slash at its end, never with a redirect."
TAGS = [
    {
        "name": JOBS,
        "description": "Jobs, executions and inferences of the Zementis service. 401 comes in the platform's form, "
        f"every other refusal as `errors`, one sentence per problem. Answers are JSON whatever `Accept` says. {_SLASH}",
    },
    {"name": MODELS, "description": f"Models of the Zementis service, and scoring of records at once. {_SLASH}"},
    {
        "name": INVENTORY,
        "description": "Devices and groups of the local store, as device agents know the platform. Ids are JSON "
        "strings. Refusals are `error`, `message`, `info`. A creation answers 201 with the new object only where the "
        "request has an `Accept` header; answers come under the platform's own media types where `Accept` names one. "
        f"{_SLASH}",
    },
    {"name": MEASUREMENTS, "description": f"Measurements of the local store. {_SLASH}"},
]

__all__ = ["COMPONENTS", "OPERATIONS", "PATH_PARAMETERS", "TAGS"]
