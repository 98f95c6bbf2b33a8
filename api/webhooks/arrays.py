"""Receives calls by the array: each is checked apart, those that are well are stored together."""

from collections.abc import Iterator
from typing import Any, Final

from flask import Response
from pydantic import TypeAdapter, ValidationError

from api.http.bodies import MAX_BODY_BYTES, Identifier
from api.http.errors import (
    MESSAGES,
    ApiError,
    InvalidRequestError,
    TooLargeError,
    WrongWorkspaceError,
)
from api.http.webhook_json import parse_event
from api.intake.call_ended import MAX_CALLS, parse_call, parse_data
from api.intake.json_arrays import split_array
from api.intake.signatures import Signers
from api.responses.base import FieldProblem, Problem, answer
from api.responses.call_arrays import (
    CallsReceived,
    IgnoredResult,
    RefusedResult,
    StoredResult,
    WebhookFailure,
)
from api.responses.sync_log import describe_warnings
from api.webhooks.accepting import accept_calls
from shared.calls.intake import NewCall, StoredCall
from shared.telemetry.tracing import carried

MAX_ARRAY_BYTES: Final = 16 * MAX_BODY_BYTES

_IDENTIFIER: Final[TypeAdapter[str]] = TypeAdapter(Identifier)
_ALL_REFUSED: Final = Problem(
    code="no_call_accepted", message="None of the calls can be accepted; each result says why."
)


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
    """Store the calls of an array as backfill, and answer what became of each element."""
    refused = checked.refused
    if len(refused) == len(checked):
        return _refuse_all(refused)
    calls = checked.calls
    stored = iter(accept_calls(calls))
    results = [_tell(each, stored) for each in checked]
    counted = [each for each in results if isinstance(each, StoredResult)]
    duplicates = sum(each.duplicate for each in counted)
    updated = sum(each.updated for each in counted)
    return answer(
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
            raise TooLargeError(MESSAGES[TooLargeError.status][1])
        event = parse_event(element)
        is_bare = event.keys().isdisjoint({"type", "data"})
        call = parse_data(event, carried()) if is_bare else parse_call(event, carried())
        if call is None:
            return IgnoredResult(call_id=_find_call_id(event))
        signers.require(user_id=call.user_id, workspace_id=call.workspace_id)
    except ApiError as error:
        return RefusedResult(call_id=_find_call_id(event), error=_describe(error))
    return call


def _find_call_id(event: dict[str, Any]) -> str | None:
    """The id to tell the call by, if there is one that can be told."""
    data = event.get("data", event)
    try:
        return _IDENTIFIER.validate_python(data.get("call_id") if isinstance(data, dict) else None)
    except ValidationError:
        return None


def _describe(error: ApiError) -> Problem:
    fields = [FieldProblem(field=each.field, message=each.message) for each in error.fields]
    return Problem(code=error.shown_code, message=error.message, fields=fields)


def _refuse_all(refused: list[RefusedResult]) -> Response:
    if all(each.error.code == WrongWorkspaceError.code for each in refused):
        return answer(
            WebhookFailure(error=refused[0].error, results=refused), WrongWorkspaceError.status
        )
    return answer(WebhookFailure(error=_ALL_REFUSED, results=refused), InvalidRequestError.status)


def _tell(
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
