"""The OpenAPI 3.1 document, built from the operations and the models of their bodies."""

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel

from api.description.operations import OPERATIONS, TAGS
from api.description.operations.failures import Failing
from api.description.operations.operation import Operation
from api.description.operations.samples import LOG_ID
from api.description.schemas import Json, all_schemas, describe_query, reference, reference_to_any
from shared.version import own_version

EXAMPLE_LOG_ID: Final = LOG_ID
DESCRIPTION: Final = """\
Finished phone calls become notes on the caller's HubSpot timeline: once, and if not, with the
reason.

Times in answers are epoch milliseconds or null; in queries RFC 3339 does too. Ids are strings.
Routes under `/api/hubspot` take `Authorization: Bearer <JWT>` and show what belongs to its user
and workspace only. Every error has the same envelope (`Failure`) with a stable `code`; beside
those that are listed, an unknown address gives 404 `not_found`, a wrong method 405
`method_not_allowed`, more than 4 KiB for an operation without a body 413 `payload_too_large`, and a
fault of the service 500 `internal_error`."""
SECURITY_SCHEMES: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Claims `sub` (the user), `workspace_id`, `exp` and `iat`; with `role`"
        " `viewer` the token may only look. One is good for JWT_MAX_AGE after `iat`.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: over webhook-id, webhook-timestamp and the raw body.",
    },
}
RETRY_AFTER: Final[Json] = {
    "description": "Seconds after which it may succeed.",
    "schema": {"type": "integer", "minimum": 1},
}
ETAG: Final[Json] = {
    "description": "Names this very answer; send it in If-None-Match.",
    "schema": {"type": "string"},
}
NOT_MODIFIED: Final[Json] = {
    "description": "Nothing has changed since the answer that If-None-Match names.",
    "headers": {"ETag": ETAG},
}


@cache
def build_document(server_url: str) -> Json:
    """Return the document as JSON."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    failings = {each.name: each for operation in OPERATIONS for each in operation.failures}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HubSpot Call Sync",
            # The contract's: which build runs is nobody's business who merely reaches it.
            "version": own_version().partition(".")[0],
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url, "description": "This service."}],
        "tags": [{"name": name, "description": words} for name, words in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": all_schemas(),
            "responses": {
                "NotModified": NOT_MODIFIED,
                **{name: _failure(each) for name, each in failings.items()},
            },
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _describe(operation: Operation) -> Json:
    described: Json = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "operationId": operation.name,
        "parameters": list(_parameters(operation)),
        "responses": {str(operation.status): _success(operation)},
        # None is said too: it is meant.
        "security": [{operation.security: []}] if operation.security else [],
    }
    if operation.page:
        described["responses"]["200"] = {
            "description": operation.page,
            "content": {"text/html": {"schema": {"type": "string"}}},
        }
    if operation.is_conditional:
        described["responses"]["304"] = {"$ref": "#/components/responses/NotModified"}
    for each in sorted(operation.failures, key=lambda failing: failing.status):
        described["responses"][str(each.status)] = {"$ref": f"#/components/responses/{each.name}"}
    if content := _body(operation):
        described["requestBody"] = {"required": True, "content": content}
    return described


def _body(operation: Operation) -> Json:
    examples = {"examples": {name: {"value": value} for name, value in operation.asked.items()}}
    if operation.body:
        schema = reference_to_any(operation.body, "validation")
        return {"application/json": {"schema": schema, **examples}}
    if operation.form:
        fields = {
            name: {"type": "string", "description": description}
            for name, description in operation.form.items()
        }
        schema = {"type": "object", "properties": fields, "required": list(fields)}
        return {"application/x-www-form-urlencoded": {"schema": schema, **examples}}
    return {}


def _success(operation: Operation) -> Json:
    described: Json = {"description": HTTPStatus(operation.status).phrase}
    headers = {
        name: {"description": words, "schema": {"type": "string"}}
        for name, words in operation.headers.items()
    }
    if operation.is_conditional:
        headers["ETag"] = ETAG
    if headers:
        described["headers"] = headers
    if operation.answer:
        schema = reference_to_any(operation.answer)
        described["content"] = {"application/json": {"schema": schema, **_answers(operation)}}
    elif operation.media_type:
        is_json = operation.media_type == "application/json"
        schema = {"type": "object" if is_json else "string"}
        described["content"] = {operation.media_type: {"schema": schema, **_answers(operation)}}
    return described


def _answers(operation: Operation) -> Json:
    return {"examples": _examples(operation.answered)} if operation.answered else {}


def _examples(answered: Mapping[str, BaseModel | str]) -> Json:
    return {
        name: {"value": value if isinstance(value, str) else value.model_dump(mode="json")}
        for name, value in answered.items()
    }


def _failure(failing: Failing) -> Json:
    codes = ", ".join(f"`{problem.code}`" for problem in failing.problems)
    described: Json = {
        "description": f"{failing.description} Code: {codes}.",
        "content": {
            "application/json": {
                "schema": reference(failing.answer),
                "examples": {
                    each.code: {"value": failing.example(each).model_dump(mode="json")}
                    for each in failing.problems
                },
            }
        },
    }
    if failing.retries_after:
        described["headers"] = {"Retry-After": RETRY_AFTER}
    return described


def _parameters(operation: Operation) -> Iterator[Json]:
    if "{log_id}" in operation.path:
        yield {
            "name": "log_id",
            "in": "path",
            "required": True,
            "description": "The entry's id.",
            "schema": {"type": "string", "examples": [EXAMPLE_LOG_ID]},
        }
    for name, description in operation.sent_headers.items():
        text = {"description": description, "schema": {"type": "string"}}
        yield {"name": name, "in": "header", "required": True, **text}
    for name, description in operation.parameters.items():
        text = {"description": description, "schema": {"type": "string"}}
        yield {"name": name, "in": "query", **text}
    if operation.query:
        for described in describe_query(operation.query):
            if described["name"] in operation.query_example:
                described["example"] = operation.query_example[described["name"]]
            yield described
    if operation.is_conditional:
        yield {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of the answer that the caller has.",
            "schema": {"type": "string"},
        }
