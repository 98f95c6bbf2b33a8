"""JSON Schemas of bodies and queries, each with a name of its own in the document."""

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Any, Final, cast, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from api.description.operations import OPERATIONS
from api.responses.base import Failure

Json = dict[str, Any]

TEMPLATE: Final = "#/components/schemas/{model}"


class _Schemas(GenerateJsonSchema):
    """Without titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: core_schema.CoreSchema | Any) -> bool:
        del schema
        return False


def reference(model: type[BaseModel], mode: JsonSchemaMode = "serialization") -> Json:
    """A reference to a model's schema."""
    return _references()[model, mode]


def reference_to_any(
    body: type[BaseModel] | UnionType, mode: JsonSchemaMode = "serialization"
) -> Json:
    """A reference to a model's schema, or to one of several."""
    references = [reference(each, mode) for each in _alternatives(body)]
    return references[0] if len(references) == 1 else {"oneOf": references}


def all_schemas() -> Json:
    """Every schema by its name, but those of queries, which are told parameter by parameter."""
    queries = {each.query.__name__ for each in OPERATIONS if each.query}
    return {name: each for name, each in _generated()[1].items() if name not in queries}


def describe_query(query: type[BaseModel]) -> Iterator[Json]:
    """The query parameters that a model stands for."""
    for name, schema in _generated()[1][query.__name__]["properties"].items():
        wanted = _without_null(schema)
        described = {
            "name": name,
            "in": "query",
            "description": wanted.pop("description"),
            "schema": wanted,
        }
        if wanted.get("type") == "array":
            described |= {"style": "form", "explode": False}
        yield described


def _without_null(schema: Json) -> Json:
    """What a query parameter may be: one that is null in the model is absent from the URL."""
    others = {
        name: value
        for name, value in schema.items()
        if name != "anyOf" and (name, value) != ("default", None)
    }
    kept = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if not kept:
        return others
    return (kept[0] if len(kept) == 1 else {"anyOf": kept}) | others


def _references() -> dict[tuple[type[BaseModel], JsonSchemaMode], Json]:
    return _generated()[0]


@cache
def _generated() -> tuple[dict[tuple[type[BaseModel], JsonSchemaMode], Json], Json]:
    """A reference for each model, and all definitions."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Failure, "serialization")]
    for operation in OPERATIONS:
        models += [(each, "serialization") for each in _alternatives(operation.answer)]
        models += [(each, "validation") for each in _alternatives(operation.body)]
        models += [(each, "validation") for each in _alternatives(operation.query)]
        models += [(each.answer, "serialization") for each in operation.failures]
    references, definitions = models_json_schema(
        list(dict.fromkeys(models)), ref_template=TEMPLATE, schema_generator=_Schemas
    )
    by_model = {
        (cast("type[BaseModel]", model), mode): each for (model, mode), each in references.items()
    }
    return by_model, definitions["$defs"]


def _alternatives(body: type[BaseModel] | UnionType | None) -> tuple[type[BaseModel], ...]:
    if isinstance(body, UnionType):
        return get_args(body)
    return (body,) if body else ()
