"""Query parameters: texts turned into what they mean, and the period that several routes take."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from werkzeug.datastructures import MultiDict

from api.http.bodies import parse_model
from shared.calls.content import parse_time

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_EPOCH_MS: Final = re.compile(r"\d{1,15}", re.ASCII)
# A plus sign that was not escaped arrives as a blank.
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:\d\d$)", re.ASCII)

QueryT = TypeVar("QueryT", bound=BaseModel)


def read_query(model: type[QueryT], parameters: MultiDict[str, str]) -> QueryT:
    """Check the query parameters; an empty one counts as absent.

    Raises:
        InvalidRequestError: Every wrong parameter is named.
    """
    given: dict[str, Any] = {name: value for name, value in parameters.items() if value}
    return parse_model(model, given)


def _read_moment(value: object) -> datetime:
    text = str(value)
    problem = ValueError("must be epoch milliseconds, or a time like 2026-11-22T10:00:00Z")
    try:
        if _EPOCH_MS.fullmatch(text):
            return EPOCH + timedelta(milliseconds=int(text))
        return parse_time(_LOST_PLUS.sub("+", text))
    except (ValueError, OverflowError) as error:
        raise problem from error


def encode_cursor(place: str) -> str:
    """A place in a list as text without meaning to clients: base64url."""
    return base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: object, form: re.Pattern[str]) -> re.Match[str]:
    """The place that `encode_cursor` was given, if it has a form; raises ValueError otherwise."""
    problem = ValueError("must be the next_cursor of a page, unchanged")
    try:
        padded = str(cursor) + "=" * (-len(str(cursor)) % 4)
        place = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise problem from error
    match = form.fullmatch(place)
    if match is None or encode_cursor(place) != cursor:
        raise problem
    return match


def read_count(value: object) -> int:
    """Read a whole number; raises ValueError."""
    if not re.fullmatch(r"\d{1,9}", str(value), re.ASCII):
        raise ValueError("must be a whole number")
    return int(str(value))


# Epoch milliseconds or RFC 3339.
Moment = Annotated[datetime, BeforeValidator(_read_moment, json_schema_input_type=int | str)]


class Span(BaseModel):
    """A period: `from` is inclusive, `to` is not; without one it has no end there."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    since: Moment | None = Field(default=None, alias="from", examples=["2026-11-01T00:00:00Z"])
    """Calls that came in at this time or later: epoch milliseconds or RFC 3339."""
    until: Moment | None = Field(default=None, alias="to", examples=["2026-11-22T00:00:00Z"])
    """Calls that came in before this time: epoch milliseconds or RFC 3339."""

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError("`from` must not be later than `to`")
        return self
