"""JSON bodies: how large each route takes them, read and parsed, and types for their texts.

No larger body is read. Webhooks look after themselves (`api/webhooks/receiving.py`).
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

from flask import Flask, current_app, g, request
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
)
from werkzeug.exceptions import RequestEntityTooLarge

from api.http.errors import (
    USUAL_BYTES,
    InvalidRequestError,
    TooLargeError,
    UnsupportedEncodingError,
    name_fields,
)

MAX_BODY_BYTES: Final = 1024 * 1024
MAX_ID_CHARACTERS: Final = 255
# Three ids and a phone number share an index entry, which holds 2,704 bytes.
MAX_ID_BYTES: Final = 512

ModelT = TypeVar("ModelT", bound=BaseModel)
ViewT = TypeVar("ViewT", bound=Callable[..., Any])

_LIMITS: Final[dict[Callable[..., Any], int | None]] = {}


def takes_body(most: int | None) -> Callable[[ViewT], ViewT]:
    """Mark a view as one that takes bodies of up to so many bytes; None if it sees to that itself.

    All others take `USUAL_BYTES`.
    """

    def mark(view: ViewT) -> ViewT:
        _LIMITS[view] = most
        return view

    return mark


def limit_bodies(app: Flask) -> None:
    """Answer larger bodies with 413: by their Content-Length, and without one as they are read."""

    @app.before_request
    def limit_body() -> None:
        if request.routing_exception is not None:
            return  # nobody reads it
        view = current_app.view_functions.get(request.endpoint or "")
        limit = _LIMITS.get(view, USUAL_BYTES) if view is not None else USUAL_BYTES
        if limit is None:
            return
        if (request.content_length or 0) > limit:
            raise TooLargeError.beyond(limit)
        g.body_limit = limit
        # One more, because a body without Content-Length is silently cut off here.
        request.max_content_length = limit + 1


def read_body(most: int = MAX_BODY_BYTES) -> bytes:
    """The raw body of the request; more than `most` bytes are answered with 413."""
    refuse_compressed()
    announced = request.content_length
    if announced is not None and announced > most:
        raise RequestEntityTooLarge
    body = request.get_data(cache=False) if announced is None else _read_announced(announced)
    if len(body) > most:
        raise RequestEntityTooLarge
    g.body_is_read = True
    if announced not in {None, len(body)}:
        raise InvalidRequestError.of("body", "ends before its Content-Length")
    return body


def refuse_compressed() -> None:
    """Raise UnsupportedEncodingError if the body is announced to be compressed."""
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedEncodingError


def _read_announced(length: int) -> bytes:
    # Werkzeug's own way reads on for what is not there, 64 KiB at a time: a 15th of a webhook.
    parts = []
    while length > 0 and (part := request.stream.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def read_model(model: type[ModelT]) -> ModelT:
    """The request's body as a model; raises InvalidRequestError naming every wrong field.

    One that is larger than the view takes is answered with 413.
    """
    limit = int(g.body_limit)
    try:
        body = read_body(limit)
    except RequestEntityTooLarge as error:
        raise TooLargeError.beyond(limit) from error
    return parse_model(model, parse_object(body))


def parse_model(model: type[ModelT], value: dict[str, Any]) -> ModelT:
    """Check an object; raises InvalidRequestError naming every wrong field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequestError(name_fields(error)) from error


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object strictly; raises InvalidRequestError."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_refuse_duplicates, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise InvalidRequestError.of("body", "must be JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InvalidRequestError.of("body", f"must be JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise InvalidRequestError.of("body", "is nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise InvalidRequestError.of("body", "holds a number that is too long") from error
    if not isinstance(value, dict):
        raise InvalidRequestError.of("body", "must be a JSON object")
    return value


def _refuse_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidRequestError.of(twice[:100], "is given more than once")
    return found


def _refuse_constant(name: str) -> None:
    raise InvalidRequestError.of("body", f"holds {name}, which is not JSON; use null")


def _require_identifier(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable text that is not blank")
    if len(text.encode()) > MAX_ID_BYTES:
        raise ValueError(f"must be at most {MAX_ID_BYTES} bytes in UTF-8")
    return text


Identifier = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ID_CHARACTERS),
    AfterValidator(_require_identifier),
]
