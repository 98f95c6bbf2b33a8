"""HubSpot's JSON, read without trusting its shape and written as compactly as it goes."""

import json
from collections.abc import Iterable

JsonObject = dict[str, object]

MAX_DIGITS = 18


def encode(payload: object) -> bytes:
    """Compact ASCII JSON: its length in bytes is its length in characters."""
    return json.dumps(payload, separators=(",", ":")).encode("ascii")


def parse(body: bytes) -> object:
    """The JSON in `body`, or None if it is none."""
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return parsed


def member(value: object, *path: str) -> object:
    """What is at `path` in nested JSON objects, or None."""
    for key in path:
        value = as_object(value).get(key)
    return value


def as_object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """A non-empty string that Postgres can store: JSON may smuggle in NUL and half characters."""
    if not isinstance(value, str):
        return None
    return "".join(each if each.isprintable() else " " for each in value).strip() or None


def identifier(value: object) -> str | None:
    """An id, which HubSpot writes as a number or as a string (`toObjectId` is either)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value)


def whole_number(value: object) -> int | None:
    """A count or an account id, which may come as a number or as digits; fits Postgres's bigint."""
    digits = identifier(value) or ""
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS
    return int(digits) if is_number else None


def redact(message: str, secrets: Iterable[str]) -> str:
    """Cut secrets out of a message that HubSpot composed."""
    for secret in filter(None, secrets):
        message = message.replace(secret, "[hidden]")
    return message
