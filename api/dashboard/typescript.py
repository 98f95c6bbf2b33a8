"""JSON Schema in TypeScript: what the OpenAPI document's schemas are to a type checker."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = Mapping[str, Any]

SCHEMAS: Final = "#/components/schemas/"

_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
# What says nothing about a value.
_WORDS: Final = frozenset({"title", "description", "default", "examples"})


class UntypedSchemaError(ValueError):
    """A schema says something that has no translation here yet."""

    def __init__(self, schema: Json) -> None:
        said = ", ".join(sorted(schema.keys() - _WORDS))
        super().__init__(
            f"No TypeScript is known for a schema with {said}: {json.dumps(schema)}. "
            "Teach write_type in api/dashboard/typescript.py, or say it with other keywords."
        )


def type_name(reference: str) -> str:
    """The interface's name for a reference into the document."""
    return re.sub(r"\W", "", reference.rpartition("/")[2])


def write_type(schema: Json) -> str:
    """A schema as a type expression.

    Raises:
        UntypedSchemaError: The schema uses a keyword that no response or body of ours has.
    """
    match schema:
        case {"$ref": str(reference)}:
            written = type_name(reference)
        case {"const": value}:
            written = json.dumps(value)
        case {"enum": list(values)}:
            written = " | ".join(map(json.dumps, values))
        case {"anyOf": list(alternatives)} | {"oneOf": list(alternatives)}:
            written = " | ".join(dict.fromkeys(map(write_type, alternatives)))
        case {"type": "array", "items": inner}:
            written = f"Array<{write_type(inner)}>"
        case {"type": "object"}:
            written = _write_object(schema)
        case {"type": str(kind)} if kind in _PLAIN:
            written = _PLAIN[kind]
        case _ if not schema.keys() - _WORDS:
            written = "unknown"
        case _:
            raise UntypedSchemaError(schema)
    return written


def write_declaration(name: str, schema: Json) -> str:
    """A named schema, exported: an interface, or an alias for what is no object."""
    comment = write_comment(schema.get("description"))
    if schema.get("type") == "object" and "properties" in schema:
        return f"{comment}export interface {type_name(name)} {_write_object(schema)}\n"
    return f"{comment}export type {type_name(name)} = {write_type(schema)};\n"


def write_comment(text: str | None, indent: str = "") -> str:
    """Text as a documentation comment with its line's end; nothing for nothing."""
    if not text:
        return ""
    lines = text.replace("*/", "* /").splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "".join(
        [
            f"{indent}/**\n",
            *(f"{indent} * {each}".rstrip() + "\n" for each in lines),
            f"{indent} */\n",
        ]
    )


def find_references(schema: object) -> Iterator[str]:
    """The names of all schemas that a schema refers to."""
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(SCHEMAS):
            yield reference.rpartition("/")[2]
        for each in schema.values():
            yield from find_references(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from find_references(each)


def _write_object(schema: Json) -> str:
    if "properties" not in schema:
        extra = schema.get("additionalProperties", True)
        return f"Record<string, {'unknown' if extra is True else write_type(extra)}>"
    required = schema.get("required", ())
    lines = []
    for name, described in schema["properties"].items():
        shown = name if _NAME.fullmatch(name) else json.dumps(name)
        mark = "" if name in required else "?"
        comment = write_comment(described.get("description"), "  ")
        lines.append(f"{comment}  {shown}{mark}: {write_type(described)};\n")
    return f"{{\n{''.join(lines)}}}"
