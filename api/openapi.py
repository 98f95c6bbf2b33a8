"""The OpenAPI 3.1 document, built from the table of operations and the models of their bodies."""

from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from types import UnionType
from typing import Any, cast, get_args

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.answers import Failure
from api.operations import OPERATIONS, Operation

Json = dict[str, Any]

EXAMPLE_LOG_ID = "hs_0192f4a07c1e7d3f9a5b6c7d8e9f0a1b"
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
    if content := _body(operation):
        described["requestBody"] = {"required": True, "content": content}
    return described


def _body(operation: Operation) -> Json:
    if operation.body:
        return {"application/json": {"schema": _reference(operation.body, "validation")}}
    if operation.form:
        fields = {
            name: {"type": "string", "description": description}
            for name, description in operation.form.items()
        }
        schema = {"type": "object", "properties": fields, "required": list(fields)}
        return {"application/x-www-form-urlencoded": {"schema": schema}}
    return {}


def _success(operation: Operation) -> Json:
    described: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer:
        described["content"] = {"application/json": {"schema": _one_of(operation.answer)}}
    elif operation.status == HTTPStatus.OK:
        described["content"] = {operation.media_type: {}}
    return described


def _parameters(operation: Operation) -> Iterator[Json]:
    if "{log_id}" in operation.path:
        log_id = {"type": "string", "examples": [EXAMPLE_LOG_ID]}
        yield {"name": "log_id", "in": "path", "required": True, "schema": log_id}
    for name, description in operation.headers.items():
        text = {"description": description, "schema": {"type": "string"}}
        yield {"name": name, "in": "header", "required": True, **text}
    for name, description in operation.parameters.items():
        text = {"description": description, "schema": {"type": "string"}}
        yield {"name": name, "in": "query", **text}
    if operation.query:
        schema = operation.query.model_json_schema(ref_template=TEMPLATE)
        for name, described in schema["properties"].items():
            yield {"name": name, "in": "query", "schema": _without_null(described)}


def _without_null(schema: Json) -> Json:
    """What a query parameter may be: one that is null in the model is absent from the URL."""
    kept = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if not kept:
        return schema
    others = {
        name: value
        for name, value in schema.items()
        if name != "anyOf" and (name, value) != ("default", None)
    }
    return (kept[0] if len(kept) == 1 else {"anyOf": kept}) | others


@cache
def _schemas() -> tuple[dict[tuple[type[BaseModel], JsonSchemaMode], Json], Json]:
    """A reference for each model, and all definitions."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Failure, "serialization")]
    for operation in OPERATIONS:
        models += [(each, "serialization") for each in _alternatives(operation.answer)]
        if operation.body:
            models.append((operation.body, "validation"))
    references, definitions = models_json_schema(models, ref_template=TEMPLATE)
    by_model = {
        (cast("type[BaseModel]", model), mode): each for (model, mode), each in references.items()
    }
    return by_model, definitions["$defs"]


def _reference(model: type[BaseModel], mode: JsonSchemaMode = "serialization") -> Json:
    return _schemas()[0][model, mode]


def _one_of(answer: type[BaseModel] | UnionType) -> Json:
    references = [_reference(each) for each in _alternatives(answer)]
    return references[0] if len(references) == 1 else {"oneOf": references}


def _alternatives(answer: type[BaseModel] | UnionType | None) -> tuple[type[BaseModel], ...]:
    if isinstance(answer, UnionType):
        return get_args(answer)
    return (answer,) if answer else ()


def _own_version() -> str:
    try:
        return version("hubspot-call-sync")
    except PackageNotFoundError:  # started from a checkout that was not installed
        return "source"
