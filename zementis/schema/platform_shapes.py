"""The platform's shapes as JSON Schema: inventory, measurements, and who asks."""

from __future__ import annotations

from typing import Any

from zementis.platform.measurements import MAX_MEASUREMENTS
from zementis.schema.words import ADDRESS, ID, TEXT, closed, ref

_CREATED: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_STATISTICS = closed(
    {
        "currentPage": {"type": "integer", "minimum": 1},
        "pageSize": {"type": "integer", "minimum": 1},
        "totalPages": {"type": "integer", "minimum": 1},
        "totalElements": _COUNT,
    },
    optional=("totalPages", "totalElements"),
)
_REFERENCE = closed(
    {"managedObject": closed({"id": ID, "self": ADDRESS, "name": TEXT}, optional=("name",)), "self": ADDRESS}
)
_REFERENCES = closed({"references": {"type": "array", "items": ref("PlatformReference")}, "self": ADDRESS})
_CHILDREN = ("childAssets", "childDevices", "childAdditions")
_PARENTS = ("assetParents", "deviceParents", "additionParents")


def _page(name: str, item: str) -> dict[str, Any]:
    members = {
        "self": ADDRESS,
        "next": {**ADDRESS, "description": "The next page, where there is one."},
        "prev": {**ADDRESS, "description": "The page before, where there is one."},
        name: {"type": "array", "items": ref(item)},
        "statistics": ref("PlatformStatistics"),
    }
    return closed(members, optional=("next", "prev"))


_MANAGED_OBJECT: dict[str, Any] = {
    "type": "object",
    "description": "Everything besides the members named here is a fragment of the client's: any name, any JSON. "
    "Devices carry `c8y_IsDevice`, groups `c8y_IsDeviceGroup`.",
    "properties": {
        "id": ID,
        "self": ADDRESS,
        "type": TEXT,
        "name": TEXT,
        "owner": TEXT,
        "creationTime": _CREATED,
        "lastUpdated": _CREATED,
        **dict.fromkeys((*_CHILDREN, *_PARENTS), _REFERENCES),
    },
    "required": ["id", "self", "owner", "creationTime", "lastUpdated", *_CHILDREN],
    "additionalProperties": True,
}
_NEW_OBJECT: dict[str, Any] = {
    "type": "object",
    "description": "Fragments of any name. What the platform gives (`id`, `self`, times, references) is ignored.",
    "properties": {
        "type": {"type": ["string", "null"], "maxLength": 255},
        "name": {"type": ["string", "null"], "maxLength": 1000},
    },
    "additionalProperties": True,
}
_CHILD_SENT = {
    "type": "object",
    "properties": {
        "managedObject": {
            "type": "object",
            "properties": {"id": {"type": ["string", "integer"]}},
            "required": ["id"],
        }
    },
    "required": ["managedObject"],
}
_CHILDREN_SENT: dict[str, Any] = {
    "anyOf": [
        _CHILD_SENT,
        {
            "type": "object",
            "properties": {"references": {"type": "array", "items": _CHILD_SENT, "minItems": 1, "maxItems": 10_000}},
            "required": ["references"],
        },
    ]
}
_MEASUREMENT: dict[str, Any] = {
    "type": "object",
    "description": "Fragment -> series -> `{unit, value}`, besides the members named here.",
    "properties": {
        "id": ID,
        "self": ADDRESS,
        "source": closed({"id": ID, "self": ADDRESS}),
        "type": TEXT,
        "time": _CREATED,
    },
    "required": ["id", "self", "source", "type", "time"],
    "additionalProperties": True,
}
_NEW_MEASUREMENT: dict[str, Any] = {
    "type": "object",
    "description": "Fragment -> series -> `{unit, value}`, besides the members named here. A `value` is a finite "
    "number; instants are kept to the millisecond.",
    "properties": {
        "source": {
            "type": "object",
            "properties": {"id": {"type": ["string", "integer"]}},
            "required": ["id"],
        },
        "type": {"type": "string", "minLength": 1, "maxLength": 255},
        "time": {
            "type": "string",
            "maxLength": 40,
            "pattern": "[Tt]",
            "description": "ISO 8601 with an offset or Z.",
        },
    },
    "required": ["source", "type", "time"],
    "additionalProperties": True,
}
_SERIES = closed(
    {
        "values": {
            "type": "object",
            "description": "Instant -> per series, in the order of `series`, its smallest and largest value, or null.",
            "additionalProperties": {
                "type": "array",
                "items": {
                    "anyOf": [closed({"min": {"type": "number"}, "max": {"type": "number"}}), {"type": "null"}],
                },
            },
        },
        "series": {
            "type": "array",
            "items": closed({"type": TEXT, "name": TEXT, "unit": {"type": ["string", "null"]}}),
        },
        "truncated": {"type": "boolean", "description": "Whether there was more than is shown."},
    }
)
_TENANT = closed(
    {
        "name": TEXT,
        "domainName": TEXT,
        "allowCreateTenants": {"type": "boolean"},
        "customProperties": {"type": "object"},
        "applications": closed({"references": {"type": "array", "maxItems": 0}}),
        "self": ADDRESS,
    }
)
_USER = closed(
    {
        "id": TEXT,
        "userName": TEXT,
        "firstName": TEXT,
        "lastName": TEXT,
        "email": TEXT,
        "effectiveRoles": {"type": "array", "maxItems": 0},
        "shouldResetPassword": {"type": "boolean"},
        "self": ADDRESS,
    }
)

PLATFORM_SCHEMAS: dict[str, Any] = {
    "PlatformChildrenSent": _CHILDREN_SENT,
    "PlatformError": closed(
        {
            "error": {"type": "string", "description": "`<room>/<code>`, such as `inventory/notFound`."},
            "message": TEXT,
            "info": ADDRESS,
        }
    ),
    "PlatformManagedObject": _MANAGED_OBJECT,
    "PlatformManagedObjects": _page("managedObjects", "PlatformManagedObject"),
    "PlatformMeasurement": _MEASUREMENT,
    "PlatformMeasurements": _page("measurements", "PlatformMeasurement"),
    "PlatformMeasurementsCreated": closed(
        {"measurements": {"type": "array", "items": ref("PlatformMeasurement")}},
    ),
    "PlatformNewManagedObject": _NEW_OBJECT,
    "PlatformNewMeasurement": _NEW_MEASUREMENT,
    "PlatformNewMeasurements": {
        "type": "object",
        "properties": {
            "measurements": {
                "type": "array",
                "items": ref("PlatformNewMeasurement"),
                "maxItems": MAX_MEASUREMENTS,
            }
        },
        "required": ["measurements"],
    },
    "PlatformReference": _REFERENCE,
    "PlatformReferences": _page("references", "PlatformReference"),
    "PlatformReferencesCreated": closed({"references": {"type": "array", "items": ref("PlatformReference")}}),
    "PlatformSeries": _SERIES,
    "PlatformStatistics": _STATISTICS,
    "PlatformSupportedMeasurements": closed({"c8y_SupportedMeasurements": {"type": "array", "items": TEXT}}),
    "PlatformSupportedSeries": closed({"c8y_SupportedSeries": {"type": "array", "items": TEXT}}),
    "PlatformTenant": _TENANT,
    "PlatformUser": _USER,
}
