"""GET /api/schedule/preview: a schedule's text explained, before a job is made of it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import SuspiciousOperation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from scheduler.calendars import store
from scheduler.calendars.days import Closed
from scheduler.console.closures import closure
from scheduler.models import Calendar
from scheduler.preview import MAX_COUNT, Note, PreviewedFire, preview, zone_named
from voltmx.views.base import AlwaysJson

DEFAULT_COUNT = 10


class PreviewParameters(serializers.Serializer[dict[str, Any]]):
    """The query parameters. A text of any length is taken here: that it is too long is part of the answer."""

    expression = serializers.CharField(trim_whitespace=False)
    zone = serializers.CharField(default="UTC")
    count = serializers.IntegerField(default=DEFAULT_COUNT, min_value=1, max_value=MAX_COUNT)
    calendars = serializers.ListField(
        child=serializers.CharField(trim_whitespace=False), default=list, max_length=store.MOST_PER_JOB
    )

    def validate_zone(self, name: str) -> str:
        """Refuse what is not a zone."""
        try:
            zone_named(name)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None
        return name

    def validate_calendars(self, names: list[str]) -> list[int]:
        """Return the numbers of the calendars; refuse a name that none has."""
        known = dict(Calendar.objects.filter(name__in=names).values_list("name", "pk"))
        missing = next((name for name in names if name not in known), None)
        if missing is not None:
            raise serializers.ValidationError(f"there is no calendar {missing[:100]!r}")
        return [known[name] for name in names]


_FIRE = inline_serializer(
    "SchedulePreviewFire",
    {
        "utc": serializers.DateTimeField(
            allow_null=True, help_text="The instant, in UTC; null for a time that matches but will not fire."
        ),
        "local": serializers.CharField(
            help_text="The time on the zone's clock, ISO 8601, with its offset; without one where it does not fire."
        ),
        "note": serializers.ChoiceField(
            choices=[note.value for note in Note],
            allow_null=True,
            help_text="What a change of the clocks does to it: `lost` (not shown by the clock, or passed over with the "
            "hour that is skipped) or `second_pass` (shown twice; fires the second time). Null otherwise.",
        ),
        "suppressed": serializers.CharField(
            allow_null=True,
            help_text="Why a job with these calendars does not run then: which calendar is closed, and for what. Null "
            "where it runs.",
        ),
    },
    many=True,
)
_PREVIEW = inline_serializer(
    "SchedulePreview",
    {
        "valid": serializers.BooleanField(help_text="Whether the text can be read."),
        "reason": serializers.CharField(
            allow_null=True, help_text="Why it cannot be read or will never fire; null where it is fine."
        ),
        "description": serializers.CharField(allow_null=True, help_text="The text in plain English."),
        "never_fires": serializers.BooleanField(help_text="Whether nothing fires from now on."),
        "zone": serializers.CharField(),
        "fires": _FIRE,
    },
)
_ERRORS = inline_serializer("SchedulePreviewErrors", {"errors": serializers.ListField(child=serializers.CharField())})


class SchedulePreviewView(APIView):
    """Whether a schedule's text is valid, what it says, and when it fires next.

    Mount it with the authentication of both surfaces: `as_view(authentication_classes=[...])`.
    """

    permission_classes = [IsAuthenticated]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head", "options"]

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what DRF refuses (no login, too many calls, a wrong method) in the same shape as wrong parameters."""
        if isinstance(exc, SuspiciousOperation):
            # More parameters than Django reads.
            exc = ParseError("The request cannot be read.")
        response = super().handle_exception(exc)
        response.data = {"errors": [str(getattr(exc, "detail", exc))]}
        return response

    @extend_schema(
        operation_id="schedule_preview",
        summary="Explain a schedule's text",
        parameters=[
            OpenApiParameter(
                "expression",
                OpenApiTypes.STR,
                required=True,
                description="Six or seven fields are a Quartz expression, five a Unix one.",
            ),
            OpenApiParameter("zone", OpenApiTypes.STR, default="UTC", description="An IANA time zone name."),
            OpenApiParameter(
                "count",
                {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "default": DEFAULT_COUNT},
                description="How many fires to list.",
            ),
            OpenApiParameter(
                "calendars",
                {"type": "array", "items": {"type": "string"}, "maxItems": store.MOST_PER_JOB},
                description="Names of calendars on whose days the job does not run; repeat it for several. Needs the "
                "permission to view calendars.",
            ),
        ],
        responses={
            200: OpenApiResponse(_PREVIEW, description="Also for a text that cannot be read: `valid` is false."),
            400: OpenApiResponse(_ERRORS, description="A parameter is missing or wrong."),
            401: OpenApiResponse(_ERRORS, description="No login of either surface."),
            403: OpenApiResponse(_ERRORS, description="Calendars are asked for by somebody who may not view them."),
            429: OpenApiResponse(_ERRORS, description="Too many requests of the user or from the address."),
            431: OpenApiResponse(_ERRORS, description="Too many or too large header fields."),
        },
    )
    def get(self, request: Request) -> Response:
        """Answer with the preview, from now on."""
        if "calendars" in request.query_params and not request.user.has_perm("scheduler.view_calendar"):
            raise PermissionDenied("You may not view calendars.")
        parameters = PreviewParameters(data=request.query_params)
        if not parameters.is_valid():
            return Response({"errors": list(_sentences(parameters.errors))}, status=400)
        asked = parameters.validated_data
        seen = preview(asked["expression"], asked["zone"], asked["count"], now=datetime.now(UTC))
        closed = store.closed(asked["calendars"], asked["zone"])
        return Response(
            {
                "valid": seen.valid,
                "reason": seen.reason or None,
                "description": seen.description or None,
                "never_fires": seen.never_fires,
                "zone": asked["zone"],
                "fires": [_wire(fire, closed) for fire in seen.fires],
            }
        )


def _sentences(errors: Mapping[str, Any]) -> Iterator[str]:
    for name, problems in errors.items():
        # Those of a list's members are by their place in it.
        each = [one for some in problems.values() for one in some] if isinstance(problems, Mapping) else problems
        yield from (f"{name}: {problem}" for problem in each)


def _wire(fire: PreviewedFire, closed: Closed | None) -> dict[str, str | None]:
    why = None if fire.utc is None else closure(closed, fire.utc)
    return {
        "utc": None if fire.utc is None else fire.utc.isoformat().replace("+00:00", "Z"),
        "local": fire.local.isoformat(),
        "note": None if fire.note is None else fire.note.value,
        "suppressed": None if why is None else str(why),
    }
