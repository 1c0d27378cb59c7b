"""GET /api/schedule/preview: a schedule's text explained, before a job is made of it."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from scheduler.preview import MAX_COUNT, Note, PreviewedFire, preview, zone_named

DEFAULT_COUNT = 10


class PreviewParameters(serializers.Serializer[dict[str, Any]]):
    """The query parameters. A text of any length is taken here: that it is too long is part of the answer."""

    expression = serializers.CharField(trim_whitespace=False)
    zone = serializers.CharField(default="UTC")
    count = serializers.IntegerField(default=DEFAULT_COUNT, min_value=1, max_value=MAX_COUNT)

    def validate_zone(self, name: str) -> str:
        """Refuse what is not a zone."""
        try:
            zone_named(name)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None
        return name


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
    http_method_names = ["get", "head", "options"]

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what DRF refuses (no login, too many calls, a wrong method) in the same shape as wrong parameters."""
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
        ],
        responses={
            200: OpenApiResponse(_PREVIEW, description="Also for a text that cannot be read: `valid` is false."),
            400: OpenApiResponse(_ERRORS, description="A parameter is missing or wrong."),
            401: OpenApiResponse(_ERRORS, description="No login of either surface."),
        },
    )
    def get(self, request: Request) -> Response:
        """Answer with the preview, from now on."""
        parameters = PreviewParameters(data=request.query_params)
        if not parameters.is_valid():
            errors = [f"{name}: {problem}" for name, problems in parameters.errors.items() for problem in problems]
            return Response({"errors": errors}, status=400)
        asked = parameters.validated_data
        seen = preview(asked["expression"], asked["zone"], asked["count"], now=datetime.now(UTC))
        return Response(
            {
                "valid": seen.valid,
                "reason": seen.reason or None,
                "description": seen.description or None,
                "never_fires": seen.never_fires,
                "zone": asked["zone"],
                "fires": [_wire(fire) for fire in seen.fires],
            }
        )


def _wire(fire: PreviewedFire) -> dict[str, str | None]:
    return {
        "utc": None if fire.utc is None else fire.utc.isoformat().replace("+00:00", "Z"),
        "local": fire.local.isoformat(),
        "note": None if fire.note is None else fire.note.value,
    }
