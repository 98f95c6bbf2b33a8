"""Receives calls by the array: each is checked apart, those that are well are stored together."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, Self

from flask import Response
from pydantic import Field, TypeAdapter, ValidationError

from api.http.bodies import MAX_BODY_BYTES, Identifier
from api.http.errors import (
    ApiError,
    InvalidRequestError,
    WebhookTooLargeError,
    WrongWorkspaceError,
)
from api.http.responses import Failure, FieldProblem, Problem, ResponseModel, Success, respond
from api.http.webhook_json import parse_event
from api.intake.call_ended import MAX_CALLS, parse_call, parse_data
from api.intake.json_arrays import split_array
from api.intake.signatures import Signers
from api.log.entries import LOG_ID, IntakeWarning, describe_warnings
from api.webhooks.accepting import accept_calls
from shared.calls.intake import NewCall, StoredCall
from shared.telemetry.tracing import carried

MAX_ARRAY_BYTES: Final = 16 * MAX_BODY_BYTES

_IDENTIFIER: Final[TypeAdapter[str]] = TypeAdapter(Identifier)


class StoredResult(ResponseModel):
    """The call is stored durably and will be worked on, behind the live ones."""

    call_id: str
    """Yours."""
    id: str
    """Its entry in the sync log; the first delivery's if this is a copy."""
    duplicate: bool
    """Whether it was stored before, or stands further up in the array, with all that this says."""
    updated: bool
    """Whether it was stored before, or stands further up, and this completes or changes it."""
    warnings: list[IntakeWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What of it was left out, cut or guessed; absent if nothing was."""


class RefusedResult(ResponseModel):
    """The call is not stored; the others are."""

    call_id: str | None
    """Yours; null if it cannot be read."""
    error: Problem

    @classmethod
    def by(cls, error: ApiError, call_id: str | None) -> Self:
        """The result of a call that an error refuses."""
        return cls(call_id=call_id, error=_describe(error))


class IgnoredResult(ResponseModel):
    """The webhook is of another type and was not recorded."""

    call_id: str | None
    """Yours; null if there is none."""
    ignored: Literal[True] = True
    """Always true."""


class CallsReceived(Success):
    """What became of an array of calls."""

    results: list[StoredResult | RefusedResult | IgnoredResult]
    """One for each element, in order."""
    accepted: int
    """How many are stored, copies included."""
    refused: int
    """How many are not."""
    new: int
    """Of the accepted: calls that were not known."""
    updated: int
    """Of the accepted: deliveries that complete or change a call."""
    duplicates: int
    """Of the accepted: deliveries that say nothing new."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        stored = StoredResult(call_id="call_1", id=LOG_ID, duplicate=False, updated=False)
        refused = RefusedResult.by(InvalidRequestError.of("user_id", "Field required"), "call_2")
        return {
            "array": cls(
                results=[stored, refused], accepted=1, refused=1, new=1, updated=0, duplicates=0
            )
        }


class WebhookFailure(Failure):
    """Nothing is stored."""

    results: list[RefusedResult] = Field(default=[], exclude_if=lambda results: not results)
    """Of an array: what is wrong with each call; absent otherwise."""


class NoCallAcceptedError(ApiError):
    status = InvalidRequestError.status
    code = "no_call_accepted"
    usual = "None of the calls can be accepted; each result says why."

    def __init__(self, results: Sequence[RefusedResult]) -> None:
        super().__init__()
        self.results = results

    @classmethod
    def example(cls) -> ApiError:
        return cls([RefusedResult.by(InvalidRequestError.of("call_id", "Field required"), None)])

    def envelope(self) -> dict[str, Any]:
        return super().envelope() | {"results": [each.model_dump() for each in self.results]}


class CheckedArray(list["NewCall | RefusedResult | IgnoredResult"]):
    """What is to be done with each element of an array."""

    @property
    def calls(self) -> list[NewCall]:
        """Those that are to be stored."""
        return [each for each in self if isinstance(each, NewCall)]

    @property
    def refused(self) -> list[RefusedResult]:
        """Those that are not, each with the reason."""
        return [each for each in self if isinstance(each, RefusedResult)]

    @property
    def ignored(self) -> list[IgnoredResult]:
        """Those that are of no interest."""
        return [each for each in self if isinstance(each, IgnoredResult)]


def check_array(body: bytes, signers: Signers) -> CheckedArray:
    """Check the elements of a signed array, each for itself.

    An element is a whole webhook, or only its `data`: who exports calls from a database has nothing
    else to say of them.
    """
    return CheckedArray(_check(element, signers) for element in split_array(body, most=MAX_CALLS))


def count_elements(body: bytes) -> int:
    """How many elements an array that is refused whole may have been checked for, at most."""
    return min(body.count(b",") + 1, MAX_CALLS)


def store_array(checked: CheckedArray) -> Response:
    """Store the calls of an array as backfill, and respond with what became of each element."""
    refused = checked.refused
    if len(refused) == len(checked):
        return _refuse_all(refused)
    calls = checked.calls
    stored = iter(accept_calls(calls))
    results = [_report(each, stored) for each in checked]
    counted = [each for each in results if isinstance(each, StoredResult)]
    duplicates = sum(each.duplicate for each in counted)
    updated = sum(each.updated for each in counted)
    return respond(
        CallsReceived(
            results=results,
            accepted=len(calls),
            refused=len(refused),
            new=len(counted) - duplicates - updated,
            updated=updated,
            duplicates=duplicates,
        ),
        202,
    )


def _check(element: bytes, signers: Signers) -> NewCall | RefusedResult | IgnoredResult:
    event: dict[str, Any] = {}
    try:
        if len(element) > MAX_BODY_BYTES:
            raise WebhookTooLargeError
        event = parse_event(element)
        is_bare = event.keys().isdisjoint({"type", "data"})
        call = parse_data(event, carried()) if is_bare else parse_call(event, carried())
        if call is None:
            return IgnoredResult(call_id=_find_call_id(event))
        signers.require(user_id=call.user_id, workspace_id=call.workspace_id)
    except ApiError as error:
        return RefusedResult.by(error, _find_call_id(event))
    return call


def _find_call_id(event: dict[str, Any]) -> str | None:
    """The producer's id of the call, if it can be read."""
    data = event.get("data", event)
    try:
        return _IDENTIFIER.validate_python(data.get("call_id") if isinstance(data, dict) else None)
    except ValidationError:
        return None


def _describe(error: ApiError) -> Problem:
    fields = [FieldProblem(field=each.field, message=each.message) for each in error.fields]
    return Problem(code=error.code, message=error.message, fields=fields)


def _refuse_all(refused: list[RefusedResult]) -> Response:
    if all(each.error.code == WrongWorkspaceError.code for each in refused):
        return respond(
            WebhookFailure(error=refused[0].error, results=refused), WrongWorkspaceError.status
        )
    error = NoCallAcceptedError(refused)
    return respond(WebhookFailure(error=_describe(error), results=refused), error.status)


def _report(
    checked: NewCall | RefusedResult | IgnoredResult, stored: Iterator[StoredCall]
) -> StoredResult | RefusedResult | IgnoredResult:
    if not isinstance(checked, NewCall):
        return checked
    log = next(stored)
    return StoredResult(
        call_id=checked.call_id,
        id=log.log_id,
        duplicate=log.is_duplicate,
        updated=log.is_updated,
        warnings=describe_warnings(checked.warnings),
    )
