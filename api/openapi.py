"""The OpenAPI 3.1 document, built from the table of operations and the models of their bodies."""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.answers import Failure
from api.operations import OPERATIONS, Operation

Json = dict[str, Any]

TEMPLATE = "#/components/schemas/{model}"
SECURITY_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Claims sub (the user), workspace_id and exp.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: with webhook-id and webhook-timestamp.",
    },
}


@cache
def build_document(server_url: str) -> Json:
    """Return the document as JSON."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HubSpot Call Sync",
            "version": _own_version(),
            "description": "Times are epoch milliseconds, ids are strings.",
        },
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {"schemas": _schemas()[1], "securitySchemes": SECURITY_SCHEMES},
    }


def _describe(operation: Operation) -> Json:
    described: Json = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": f"{operation.method} {operation.path}",
        "parameters": list(_parameters(operation)),
        "responses": {
            str(operation.status): _success(operation),
            **{
                str(status): {
                    "description": HTTPStatus(status).phrase,
                    "content": {"application/json": {"schema": _reference(Failure)}},
                }
                for status in sorted(operation.failures)
            },
        },
    }
    if operation.security:
        described["security"] = [{operation.security: []}]
    if operation.body:
        schema = _reference(operation.body, "validation")
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _success(operation: Operation) -> Json:
    described: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer:
        described["content"] = {"application/json": {"schema": _reference(operation.answer)}}
    elif operation.status == HTTPStatus.OK:
        described["content"] = {operation.media_type: {}}
    return described


def _parameters(operation: Operation) -> Iterator[Json]:
    if "{log_id}" in operation.path:
        yield {"name": "log_id", "in": "path", "required": True, "schema": {"type": "string"}}
    for name, description in operation.parameters.items():
        yield {
            "name": name,
            "in": "query",
            "description": description,
            "schema": {"type": "string"},
        }
    if operation.query:
        schema = operation.query.model_json_schema(ref_template=TEMPLATE)
        for name, described in schema["properties"].items():
            yield {"name": name, "in": "query", "schema": described}


@cache
def _schemas() -> tuple[dict[tuple[type[BaseModel], JsonSchemaMode], Json], Json]:
    """A reference for each model, and all definitions."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Failure, "serialization")]
    for operation in OPERATIONS:
        if operation.answer:
            models.append((operation.answer, "serialization"))
        if operation.body:
            models.append((operation.body, "validation"))
    references, definitions = models_json_schema(models, ref_template=TEMPLATE)
    by_model = {
        (cast("type[BaseModel]", model), mode): each for (model, mode), each in references.items()
    }
    return by_model, definitions["$defs"]


def _reference(model: type[BaseModel], mode: JsonSchemaMode = "serialization") -> Json:
    return _schemas()[0][model, mode]


def _own_version() -> str:
    try:
        return version("hubspot-call-sync")
    except PackageNotFoundError:  # started from a checkout that was not installed
        return "source"
