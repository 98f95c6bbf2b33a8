"""The OpenAPI 3.1 document, built from what the views say of themselves and from their models."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from flask import Flask
from pydantic import BaseModel
from werkzeug.routing import Rule

from api.context.tenants import is_guarded, is_open_to_viewers
from api.description.operations import Failures, Operation, operation_of, read_words
from api.description.schemas import Json, Schemas
from api.http.responses import ResponseModel
from shared.version import own_version

TAGS: Final = {
    "webhooks": "Tell the service of finished calls. Signed as Standard Webhooks says.",
    "connection": "Connect a workspace to HubSpot, see how it is, and end it.",
    "call sources": "Addresses at which voice platforms deliver their calls.",
    "sync log": "What became of each call, and why; try again what failed.",
    "trials": "Try the service out before the first real call.",
    "audit trail": "Who did what to a workspace's connection and calls.",
    "operation": "For those who run the service.",
}
DESCRIPTION: Final = """\
Finished phone calls become notes on the caller's HubSpot timeline: once, and if not, with the
reason.

Times in responses are epoch milliseconds or null; in queries RFC 3339 does too. Ids are strings.
Routes under `/api/hubspot` and `/api/call-sources` take `Authorization: Bearer <JWT>` and show what
belongs to its user and workspace only. Every error has the same envelope (`Failure`) with a stable
`code`; beside those that are listed, an unknown address gives 404 `not_found`, a wrong method 405
`method_not_allowed`, more than 4 KiB for an operation without a body 413 `payload_too_large`, and a
fault of the service 500 `internal_error`."""
SECURITY_SCHEMES: Final[Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Claims `sub` (the user), `workspace_id`, `exp` and `iat`; with `role`"
        " `viewer` the token may only look, with `platform` it may set up the call sources of every"
        " tenant. One is good for JWT_MAX_AGE after `iat`.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: over webhook-id, webhook-timestamp and the raw body. At"
        " a call source's address, whatever its vendor signs with.",
    },
}
RETRY_AFTER: Final[Json] = {
    "description": "Seconds after which it may succeed.",
    "schema": {"type": "integer", "minimum": 1},
}
ETAG: Final[Json] = {
    "description": "Names this very response; send it in If-None-Match.",
    "schema": {"type": "string"},
}
NOT_MODIFIED: Final[Json] = {
    "description": "Nothing has changed since the response that If-None-Match names.",
    "headers": {"ETag": ETAG},
}


def build_document(app: Flask, server_url: str) -> Json:
    """Return the document of an app's routes as JSON."""
    routes = list(_find_routes(app))
    schemas = Schemas((each.operation, each.failures) for each in routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = _describe(route, schemas)
    failures = {each.name: each for route in routes for each in route.failures}
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
            "schemas": schemas.of_bodies,
            "responses": {
                "NotModified": NOT_MODIFIED,
                **{name: _describe_failures(each, schemas) for name, each in failures.items()},
            },
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


@dataclass(frozen=True)
class _Route:
    """A route with what its view says of itself."""

    rule: Rule
    view: Callable[..., Any]
    operation: Operation
    is_guarded: bool

    @property
    def path(self) -> str:
        return self.rule.rule.replace("<", "{").replace(">", "}")

    @property
    def method(self) -> str:
        (method,) = (self.rule.methods or set()) - {"HEAD", "OPTIONS"}
        return method.lower()

    @property
    def failures(self) -> list[Failures]:
        return self.operation.list_failures(
            is_guarded=self.is_guarded, only_shows=is_open_to_viewers(self.view)
        )


def _find_routes(app: Flask) -> Iterator[_Route]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        operation = operation_of(view)
        if operation is not None:
            yield _Route(rule, view, operation, is_guarded(rule.endpoint.partition(".")[0]))


def _describe(route: _Route, schemas: Schemas) -> Json:
    operation = route.operation
    summary, description = read_words(route.view)
    security = "signature" if operation.is_signed else "bearer" if route.is_guarded else None
    described: Json = {
        "tags": [operation.tag],
        "summary": summary,
        "description": description,
        "operationId": operation.name,
        "parameters": list(_describe_parameters(route, schemas)),
        "responses": {str(operation.status): _describe_success(operation, schemas)},
        # None is said too: it is meant.
        "security": [{security: []}] if security else [],
    }
    if operation.page:
        described["responses"]["200"] = {
            "description": operation.page,
            "content": {"text/html": {"schema": {"type": "string"}}},
        }
    if operation.is_conditional:
        described["responses"]["304"] = {"$ref": "#/components/responses/NotModified"}
    for each in route.failures:
        described["responses"][str(each.status)] = {"$ref": f"#/components/responses/{each.name}"}
    if content := _describe_body(operation, schemas):
        described["requestBody"] = {"required": True, "content": content}
    return described


def _describe_body(operation: Operation, schemas: Schemas) -> Json:
    examples = {"examples": {name: {"value": value} for name, value in operation.asked.items()}}
    if operation.body:
        schema = schemas.refer(operation.body, "validation")
        return {"application/json": {"schema": schema, **examples}}
    if operation.form:
        fields = {
            name: {"type": "string", "description": description}
            for name, description in operation.form.items()
        }
        schema = {"type": "object", "properties": fields, "required": list(fields)}
        return {"application/x-www-form-urlencoded": {"schema": schema, **examples}}
    return {}


def _describe_success(operation: Operation, schemas: Schemas) -> Json:
    described: Json = {"description": HTTPStatus(operation.status).phrase}
    headers = {
        name: {"description": words, "schema": {"type": "string"}}
        for name, words in operation.headers.items()
    }
    if operation.is_conditional:
        headers["ETag"] = ETAG
    if headers:
        described["headers"] = headers
    examples = _describe_examples(operation)
    if operation.response:
        schema = schemas.refer(operation.response)
        described["content"] = {"application/json": {"schema": schema, **examples}}
    elif operation.media_type:
        is_json = operation.media_type == "application/json"
        schema = {"type": "object" if is_json else "string"}
        described["content"] = {operation.media_type: {"schema": schema, **examples}}
    return described


def _describe_examples(operation: Operation) -> Json:
    examples: Mapping[str, BaseModel | str] = operation.examples or {}
    model = operation.response
    if not examples and isinstance(model, type) and issubclass(model, ResponseModel):
        examples = model.examples()
    described = {
        name: {"value": value if isinstance(value, str) else value.model_dump(mode="json")}
        for name, value in examples.items()
    }
    return {"examples": described} if described else {}


def _describe_failures(failures: Failures, schemas: Schemas) -> Json:
    codes = ", ".join(f"`{each.code}`" for each in failures.examples)
    described: Json = {
        "description": f"{failures.description} Code: {codes}.",
        "content": {
            "application/json": {
                "schema": schemas.refer(failures.response),
                "examples": {each.code: {"value": each.envelope()} for each in failures.examples},
            }
        },
    }
    if any("Retry-After" in each.headers for each in failures.examples):
        described["headers"] = {"Retry-After": RETRY_AFTER}
    return described


def _describe_parameters(route: _Route, schemas: Schemas) -> Iterator[Json]:
    operation = route.operation
    for name, (description, example) in operation.path.items():
        schema = {"type": "string", "examples": [example]}
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": description,
            "schema": schema,
        }
    for name, description in operation.sent_headers.items():
        text = {"description": description, "schema": {"type": "string"}}
        yield {"name": name, "in": "header", "required": True, **text}
    for name, description in operation.parameters.items():
        text = {"description": description, "schema": {"type": "string"}}
        yield {"name": name, "in": "query", **text}
    if operation.query:
        yield from schemas.describe_query(operation.query)
    if operation.is_conditional:
        yield {
            "name": "If-None-Match",
            "in": "header",
            "description": "The ETag of the response that the caller has.",
            "schema": {"type": "string"},
        }
