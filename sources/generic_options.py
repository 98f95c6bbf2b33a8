"""Options of a source of any platform: which of its fields is which of ours, and how it signs."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from sources import reading
from sources.adapter import Options
from sources.hmac_options import Algorithm, Encoding, HeaderName, HmacOptions, Payload

DEFAULT_HEADERS: Final = {"header": "X-Webhook-Secret", "hmac": "X-Webhook-Signature"}
STRUCTURED: Final = "structured_data."
MOST_FIELDS: Final = 60
UNITS: Final = {"seconds": 1.0, "milliseconds": 0.001, "minutes": 60.0}
FIELDS: Final = (
    *("call_id", "phone_number", "direction", "from_number", "to_number", "region"),
    *("started_at", "ended_at", "duration_seconds", "agent_name", "agent_email", "agent_id"),
    *("outcome", "summary", "recording_url", "transcript", "structured_data"),
    # Of the delivery: what it is called and when it was made; whose call it is.
    *("event", "occurred_at", "user_id", "workspace_id", "tenant"),
)
_INDEX: Final = re.compile(r"\[(\d{1,4})\]", re.ASCII)
_PLACES: Final = re.compile(r"\b(body|timestamp|method|url)\b")


def _read_path(path: str) -> str:
    """A path as `dig` reads it: `$.calls[0].id` is `calls.0.id`."""
    path = _INDEX.sub(r".\1", path.strip().removeprefix("$.")).removeprefix(".")
    if not path or len(path) > reading.LONGEST_PATH or "" in path.split("."):
        raise ValueError("is no path: write names from the outside in, like call.customer.phone")
    return path


def _check_fields(fields: Mapping[str, str]) -> Mapping[str, str]:
    for name in fields:
        known = name in FIELDS or (name.startswith(STRUCTURED) and len(name) > len(STRUCTURED))
        if not known:
            raise ValueError(
                f"has an unknown field: use {', '.join(FIELDS)}, structured_data.<name>"
            )
    if "call_id" not in fields:
        raise ValueError("lacks call_id: say where the platform's own id of the call stands")
    return fields


def _read_signed(signed: Any) -> Any:
    """`timestamp.body` is `{timestamp}.{body}`."""
    is_plain = isinstance(signed, str) and "{" not in signed
    return _PLACES.sub(r"{\1}", signed) if is_plain else signed


Path = Annotated[str, AfterValidator(_read_path)]
FieldPaths = Annotated[
    dict[str, Path], Field(max_length=MOST_FIELDS), AfterValidator(_check_fields)
]
Word = Annotated[str, Field(min_length=1, max_length=200)] | bool | int | float


class EndedWhen(Options):
    """What a delivery says when the call is over."""

    path: Path
    value: Word | list[Word]
    """The value there, or any of several; upper and lower case are the same."""


class GenericOptions(Options):
    """The options of a source of any platform."""

    fields: FieldPaths | None = None
    """Our field → dotted path in the body. Until they are chosen nothing is read, and the names in
    the last delivery can be looked at."""
    ended_when: EndedWhen | None = None
    """Which deliveries say that the call is over; all, if it is left out."""
    duration_unit: Literal["seconds", "milliseconds", "minutes"] = "seconds"
    header: HeaderName | None = None
    """Where the secret or the signature comes."""
    prefix: Annotated[str, Field(max_length=100)] = ""
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    signed: Annotated[Payload, BeforeValidator(_read_signed)] = "{body}"
    timestamp_header: HeaderName = "x-timestamp"
    """The header of `{timestamp}`, if that is signed."""

    def header_of(self, scheme: str) -> str:
        """The header in which a scheme's secret or signature comes."""
        return self.header or DEFAULT_HEADERS[scheme]

    def hmac_for(self, given: str | None) -> HmacOptions:
        """How the platform signs; `sha256=` before the digest needs no setting."""
        usual = f"{self.algorithm}="
        has_usual = not self.prefix and (given or "").startswith(usual)
        return HmacOptions(
            algorithm=self.algorithm,
            signature_header=self.header_of("hmac"),
            prefix=usual if has_usual else self.prefix,
            timestamp_header=self.timestamp_header,
            payload=self.signed,
            encoding=self.encoding,
        )
