"""What all JSON responses share, and how they are sent.

Times are epoch milliseconds or null, ids are strings.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from typing_extensions import TypeAliasType

from shared.reasons import Reason


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


Moment = Annotated[datetime, PlainSerializer(_epoch_ms), WithJsonSchema({"type": "integer"})]

# A text to us: while releases change over, the database may hold a code that this one does not
# know. The document lists those that there are.
ErrorCode = TypeAliasType(
    "ErrorCode",
    Annotated[
        str,
        WithJsonSchema(
            {
                "type": "string",
                "enum": [*Reason],
                "description": "Why a call is not in HubSpot; the sync log's codes.",
            }
        ),
    ],
)


class ResponseModel(BaseModel):
    # What has a default is sent too, so the document may promise it.
    model_config = ConfigDict(
        serialize_by_alias=True,
        validate_by_name=True,
        json_schema_serialization_defaults_required=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def examples(cls) -> dict[str, Self]:
        """Responses by a name that says what they show, for the OpenAPI document."""
        return {}


class Success(ResponseModel):
    success: Literal[True] = True
    """Always true; errors have false."""


class FieldProblem(ResponseModel):
    """One wrong field of a request."""

    field: str
    """Its path, such as `data.call_id`; `body` or a parameter's name otherwise."""
    message: str
    """What would be right."""


class Problem(ResponseModel):
    """What went wrong."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    code: str
    """Stable, for programs; each response lists its codes."""
    message: str
    """For people; may change."""
    fields: list[FieldProblem] = Field(default=[], exclude_if=lambda fields: not fields)
    """What is wrong in the request, each field by name; absent where no field is to blame."""


class Failure(ResponseModel):
    """Every error."""

    success: Literal[False] = False
    """Always false."""
    error: Problem


def respond(body: ResponseModel, status: int = 200) -> Response:
    """Send a body as JSON."""
    content = [body.model_dump_json().encode()]
    # Passed through, it is one piece to the server too; an iterator is sent by the chunk.
    return Response(content, status, content_type="application/json", direct_passthrough=True)


def respond_if_changed(body: ResponseModel) -> Response:
    """Send a body as JSON, or 304 to whoever has this very body already."""
    response = respond(body)
    response.add_etag(weak=True)
    response.make_conditional(request)
    return response
