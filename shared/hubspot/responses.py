"""What HubSpot's answers mean: the one place that turns an answer into a value or an error.

Nothing in an answer is trusted to be there or to have its documented type: HubSpot calls every
field of an error optional (Error handling page), and gateways in front of it answer in HTML.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Self

from shared.hubspot.errors import (
    AccountLockedError,
    ErrorFacts,
    HubSpotError,
    MissingScopesError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    TokenRejectedError,
    UnavailableError,
)
from shared.hubspot.models import RateLimit
from shared.hubspot.payload import (
    JsonObject,
    as_object,
    identifier,
    member,
    objects,
    parse,
    redact,
    text,
    whole_number,
)
from shared.hubspot.transport import Answer

MAX_MESSAGE = 500
MAX_RETRY_AFTER = 24 * 3600
LOCK_SECONDS = 2.0
ACCOUNT_MIGRATING = 477

PROBLEMS = "Property values were not valid:"
"""What HubSpot's list of wrong properties follows in a message (Error handling page)."""
PROPERTY_KEYS = ("propertyName", "property", "properties")
PROPERTY_NAME = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b", re.ASCII)

REFUSALS: Mapping[int, type[RejectedError | TokenRejectedError]] = {
    HTTPStatus.UNAUTHORIZED: TokenRejectedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """HubSpot's error object, whole or as one of the `errors` of a batch (Error handling page)."""

    message: str | None = None
    category: str | None = None
    sub_category: str | None = None
    correlation_id: str | None = None
    policy: str | None = None
    context: JsonObject = field(default_factory=dict)
    properties: frozenset[str] = frozenset()

    @classmethod
    def of(cls, payload: object, secrets: Iterable[str] = ()) -> Self | None:
        """Read an envelope, or None if `payload` has nothing that marks it as HubSpot's.

        The code is in `category`, or in `errorType` on older errors and some 429 answers; the
        message in `message`, or in `error_description` of OAuth errors.
        """
        message = text(member(payload, "message")) or text(member(payload, "error_description"))
        envelope = cls(
            message=None if message is None else redact(message, secrets)[:MAX_MESSAGE],
            category=text(member(payload, "category")) or text(member(payload, "errorType")),
            sub_category=text(member(payload, "subCategory")),
            correlation_id=text(member(payload, "correlationId")),
            policy=text(member(payload, "policyName")),
            context=as_object(member(payload, "context")),
            properties=frozenset(_named_properties(payload, message or "")),
        )
        marks = (envelope.message, envelope.category, envelope.correlation_id, envelope.policy)
        return envelope if any(marks) or member(payload, "status") == "error" else None

    def context_ids(self, key: str) -> tuple[str, ...]:
        """The ids under `key` of the context, which has a list of strings for every key."""
        value = self.context.get(key)
        ids = map(identifier, value if isinstance(value, list) else [value])
        return tuple(each for each in ids if each is not None)


def _named_properties(payload: object, message: str) -> Iterator[str]:
    """What a refusal names: HubSpot lists properties as JSON within its message, and in contexts.

    Where no list is found, every word that looks like a property's name counts, so ask only
    whether one that was sent is among them.
    """
    problems = parse(message.partition(PROBLEMS)[2].strip().encode("utf-8", "surrogatepass"))
    named = [identifier(member(each, "name")) for each in objects(problems)]
    for each in (payload, *objects(member(payload, "errors"))):
        context = as_object(member(each, "context"))
        for key in PROPERTY_KEYS:
            value = context.get(key)
            named += map(identifier, value if isinstance(value, list) else [value])
        named.append(identifier(member(each, "in")))
    found = [name for name in named if name is not None]
    yield from found or PROPERTY_NAME.findall(message)


def error_of(answer: Answer, secrets: Iterable[str] = ()) -> HubSpotError | None:
    """Turn an answer into the error it stands for, or None if it is a 2xx.

    Statuses are those of the Error handling page. `secrets` are cut out of HubSpot's message.
    """
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    found = Envelope.of(parse(answer.body), secrets)
    envelope = found or Envelope()
    message = envelope.message or f"HubSpot answered with HTTP status {status}."
    facts = ErrorFacts(
        status=status,
        category=envelope.category,
        correlation_id=envelope.correlation_id,
        definite=found is not None and is_refusal(status),
        properties=envelope.properties,
    )
    wait = retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC))
    if status == HTTPStatus.LOCKED:
        wait = max(wait or 0.0, LOCK_SECONDS)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError(message, policy=envelope.policy, retry_after=wait, **facts)
    if status in {HTTPStatus.LOCKED, ACCOUNT_MIGRATING}:
        return AccountLockedError(message, retry_after=wait, **facts)
    if not facts["definite"]:
        return UnavailableError(message, retry_after=wait, **facts)
    if status == HTTPStatus.FORBIDDEN and envelope.category == "MISSING_SCOPES":
        return MissingScopesError(message, **facts)
    return REFUSALS.get(status, RejectedError)(message, **facts)


def is_refusal(status: int) -> bool:
    """Whether a status says that nothing was done, if HubSpot itself sent it."""
    is_client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return is_client_error and status != HTTPStatus.REQUEST_TIMEOUT


def retry_after(header: str | None, *, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, at most a day; None if absent or senseless.

    HubSpot documents it for 477 only, in seconds; dates are HTTP's other form.
    """
    if header is None:
        return None
    try:
        seconds: float = int(header)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(header) - now).total_seconds()
        except (TypeError, ValueError):
            return None
    return float(min(max(seconds, 0), MAX_RETRY_AFTER))


def rate_limit(headers: Mapping[str, str]) -> RateLimit:
    """Read the X-HubSpot-RateLimit-* headers (Usage guidelines page)."""

    def count(name: str) -> int | None:
        return whole_number(headers.get(f"X-HubSpot-RateLimit-{name}"))

    return RateLimit(count("Max"), count("Remaining"), count("Interval-Milliseconds"))


def object_of(answer: Answer) -> JsonObject:
    """The JSON object of a 2xx.

    Raises:
        UnavailableError: the body is something else.
    """
    payload = parse(answer.body)
    if not isinstance(payload, dict):
        raise shapeless(answer)
    return payload


def results_of(answer: Answer) -> tuple[JsonObject, list[JsonObject]]:
    """The JSON object of a 2xx and the objects in its `results`.

    Raises:
        UnavailableError: the body is something else.
    """
    payload = object_of(answer)
    if not isinstance(payload.get("results"), list):
        raise shapeless(answer)
    return payload, objects(payload["results"])


def shapeless(answer: Answer) -> UnavailableError:
    """The error for a 2xx that lacks what its endpoint promises: nothing is known about it."""
    return UnavailableError("HubSpot's answer could not be understood.", status=answer.status)
