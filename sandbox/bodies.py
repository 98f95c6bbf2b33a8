"""The JSON bodies that HubSpot's endpoints take, as far as the sandbox reads them."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import Field
from pydantic.alias_generators import to_camel

from sandbox.properties import Schema
from sandbox.refusals import RefusedError, invalid


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


# HubSpot's Java takes numbers and booleans where a string is meant.
Text = Annotated[str, pydantic.BeforeValidator(_as_text)]
Properties = dict[str, Text | None]
BodyT = TypeVar("BodyT", bound=pydantic.BaseModel)


class Body(pydantic.BaseModel):
    """A request body; unknown fields are ignored, as HubSpot does."""

    model_config = pydantic.ConfigDict(
        extra="ignore", populate_by_name=True, alias_generator=to_camel
    )


class ObjectId(Body):
    id: Text


class AssociationType(Body):
    association_category: str
    association_type_id: int


class Association(Body):
    to: ObjectId
    types: list[AssociationType]


class ObjectInput(Body):
    """One object to create or change."""

    properties: Properties = Field(default_factory=dict)
    associations: list[Association] | None = None
    object_write_trace_id: Text | None = None


class UpdateInput(ObjectInput):
    """One object to change; `id_property` names the property that `id` is a value of."""

    id: Text
    id_property: str | None = None


class BatchUpdate(Body):
    inputs: list[UpdateInput]


class BatchCreate(Body):
    inputs: list[ObjectInput]


class BatchRead(Body):
    inputs: list[ObjectId]
    properties: list[str]
    properties_with_history: list[str]
    id_property: str | None = None


class BatchArchive(Body):
    inputs: list[ObjectId]


class AssociationsInput(ObjectId):
    after: Text | None = None


class AssociationsBatchRead(Body):
    inputs: list[AssociationsInput]


class Merge(Body):
    primary_object_id: Text
    object_id_to_merge: Text


def parse_body(model: type[BodyT], body: bytes) -> BodyT:
    """Read a body; raise the 400 that HubSpot gives to JSON that it cannot read."""
    try:
        return model.model_validate_json(body)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "line 1, column 1"
        raise invalid(f"Invalid input JSON on {where}: {first['msg']}") from error


def check_properties(schema: Schema, properties: Properties) -> dict[str, str]:
    """Return the properties to write, null as empty; raise 400 for unknown and read-only ones."""
    for name in properties:
        if name not in schema.kinds:
            raise wrong_property(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        if name in schema.read_only:
            raise wrong_property(name, "READ_ONLY_VALUE", f'"{name}" is a read only property')
    return {name: value or "" for name, value in properties.items()}


def check_id_property(name: str | None, object_type: str, verb: str) -> None:
    """Raise 400 where ids are said to be values of a property: no property here is unique."""
    if name is not None:
        raise invalid(
            f"Unable to perform {verb} by non-unique {object_type} property {name}",
        )


def check_batch_size(inputs: list[Any], most: int) -> None:
    """Raise 400 when a batch has more inputs than the endpoint takes."""
    if len(inputs) > most:
        raise invalid(f"The maximum number of inputs supported in a batch request is {most}")


def asked_properties(query: Mapping[str, Any], parameter: str = "properties") -> list[str]:
    """Return the names in `?properties=a,b&properties=c`."""
    return [name for value in query.get(parameter, ()) for name in value.split(",") if name]


def wrong_property(name: str, code: str, message: str) -> RefusedError:
    """Return the refusal of a property or its value."""
    problem = [{"isValid": False, "message": message, "error": code, "name": name}]
    return invalid(
        f"Property values were not valid: {json.dumps(problem, separators=(',', ':'))}",
        errors=[{"message": message, "code": code, "context": {"propertyName": [name]}}],
    )
