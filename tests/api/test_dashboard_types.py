"""client.d.ts says what the OpenAPI document says, and the client has every route."""

from collections.abc import Mapping
from typing import Any

import pytest

from api.app import describe_api
from api.dashboard.client_types import ERRORS, FILE, list_methods, render_types
from api.dashboard.typescript import (
    UntypedSchemaError,
    write_comment,
    write_declaration,
    write_type,
)

DOCUMENT = describe_api("")
METHODS = list_methods(DOCUMENT)


def test_committed_types_are_those_of_the_document() -> None:
    assert FILE.read_text() == render_types(), "run: make client"


def test_only_pages_redirects_and_the_signed_webhook_have_no_method() -> None:
    assert DOCUMENT["paths"].keys() - {method.path for method in METHODS} == {
        "/",
        "/docs",
        "/api/hubspot/oauth/callback",
        "/api/hubspot/oauth/confirm",
        "/api/webhooks/call-ended",
        "/api/webhooks/{vendor}/{source_id}",
    }


def test_names_of_the_specification_are_kept() -> None:
    assert {
        "initiateHubSpotOAuth",
        "getHubSpotStatus",
        "disconnectHubSpot",
        "getHubSpotSyncLogs",
    } <= {method.name for method in METHODS}


def test_every_error_of_the_document_has_a_type() -> None:
    statuses = {int(status) for method in METHODS for status in method.operation["responses"]}
    # A body of another type cannot come from the client.
    assert {each for each in statuses if each >= 400} - {415} <= set(ERRORS)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer"}, "number"),
        ({"type": "boolean"}, "boolean"),
        ({"const": True, "type": "boolean"}, "true"),
        ({"enum": ["a", "b"], "type": "string"}, '"a" | "b"'),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "number"),
        ({"type": "array", "items": {"type": "string"}}, "Array<string>"),
        ({"type": "object", "additionalProperties": True}, "Record<string, unknown>"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "Record<string, number>"),
        ({"$ref": "#/components/schemas/Call-Input"}, "CallInput"),
        ({"title": "Anything"}, "unknown"),
    ],
)
def test_schema_becomes_a_type(schema: Mapping[str, Any], expected: str) -> None:
    assert write_type(schema) == expected


def test_unknown_kind_of_schema_is_not_guessed() -> None:
    with pytest.raises(UntypedSchemaError, match=r"with allOf: .* Teach write_type"):
        write_type({"allOf": [], "title": "All"})


def test_optional_fields_are_marked_and_strange_names_are_quoted() -> None:
    schema = {
        "type": "object",
        "description": "One.",
        "properties": {"a": {"type": "string"}, "b-c": {"type": "string"}},
        "required": ["a"],
    }
    assert write_declaration("Thing", schema) == (
        '/** One. */\nexport interface Thing {\n  a: string;\n  "b-c"?: string;\n}\n'
    )


def test_comment_cannot_end_early() -> None:
    assert write_comment("ends */ here") == "/** ends * / here */\n"
