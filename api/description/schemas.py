"""JSON Schemas of bodies and queries, each with a name of its own in the document."""

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, Final, cast, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

from api.description.operations import Failures, Operation
from api.http.responses import Failure

Json = dict[str, Any]

TEMPLATE: Final = "#/components/schemas/{model}"


class _Generator(GenerateJsonSchema):
    """Without titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: core_schema.CoreSchema | Any) -> bool:
        del schema
        return False


class Schemas:
    """The JSON Schemas of bodies and queries, each with a name of its own in the document."""

    def __init__(self, operations: Iterable[tuple[Operation, Iterable[Failures]]]) -> None:
        models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Failure, "serialization")]
        queries: set[str] = set()
        for operation, failures in operations:
            models += [(each, "serialization") for each in _alternatives(operation.response)]
            models += [(each, "validation") for each in _alternatives(operation.body)]
            models += [(each, "validation") for each in _alternatives(operation.query)]
            models += [(each.response, "serialization") for each in failures]
            queries |= {each.__name__ for each in _alternatives(operation.query)}
        references, definitions = models_json_schema(
            list(dict.fromkeys(models)), ref_template=TEMPLATE, schema_generator=_Generator
        )
        self._references = {
            (cast("type[BaseModel]", model), mode): each
            for (model, mode), each in references.items()
        }
        self._definitions: Json = definitions["$defs"]
        # Those of queries are described parameter by parameter.
        self.of_bodies = {
            name: schema for name, schema in self._definitions.items() if name not in queries
        }

    def refer(
        self, body: type[BaseModel] | UnionType, mode: JsonSchemaMode = "serialization"
    ) -> Json:
        """A reference to a model's schema, or to one of several."""
        references = [self._references[each, mode] for each in _alternatives(body)]
        return references[0] if len(references) == 1 else {"oneOf": references}

    def describe_query(self, query: type[BaseModel]) -> Iterator[Json]:
        """The query parameters that a model stands for."""
        for name, schema in self._definitions[query.__name__]["properties"].items():
            wanted = _without_null(schema)
            described = {
                "name": name,
                "in": "query",
                "description": wanted.pop("description"),
                "schema": wanted,
            }
            if examples := wanted.pop("examples", ()):
                described["example"] = examples[0]
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


def _alternatives(body: type[BaseModel] | UnionType | None) -> tuple[type[BaseModel], ...]:
    if isinstance(body, UnionType):
        return get_args(body)
    return (body,) if body else ()
