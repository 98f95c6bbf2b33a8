"""What may a call do next, given what happened to it: pure functions, one for each event.

Every function takes the claimed call and what was learnt, and returns the row's next state
whole. Nothing here waits, asks HubSpot or reads a clock; times are seconds from now.

What happens while a write is in doubt is in `worker.rounds.doubts`.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from shared.activities.destination import (
    ConfigurationError,
    DestinationError,
    GrantRevokedError,
    MissingScopesError,
    NetworkError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    TokenRejectedError,
)
from shared.calls.directions import UnknownDirectionError
from shared.calls.rules import Awaited, LeftOut
from shared.phone import PhoneError, WithheldNumberError
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from shared.reasons import (
    END_UNREPORTED_MESSAGE,
    NOT_FOUND_MESSAGE,
    RECONNECT_MESSAGE,
    Lane,
    Reason,
    Status,
    describe_ambiguity,
)

RETRY_FOR_S: Final = 24 * 3600.0
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 3600.0
# A wrong client secret is mended by an operator, not by asking often.
CONFIGURATION_RETRY_S: Final = 300.0

RAW_SEARCH_WAIT_S: Final = 5.0
# Seconds from each complete search that found nobody to the next one.
SEARCH_AGAIN_S: Final = (30.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
SEARCHES_BEFORE_SKIPPING: Final = 2
# By how many searches came before: the second, and the last, for contacts that were made since.
THOROUGH_SEARCHES: Final = frozenset({1, len(SEARCH_AGAIN_S)})
SEARCH_WITHOUT_CONNECTION_S: Final = 6 * 3600.0

FIRST_READ_BACK_S: Final = 10.0
IN_DOUBT_MESSAGE: Final = (
    "HubSpot gave no clear answer ({}). It is asked for the note before anything is written again."
)


def backoff(failures: int, jitter: float) -> float:
    """Seconds until the retry after `failures` failures in a row; `jitter` is from 0 to 1."""
    ceiling = min(FIRST_RETRY_S * 2.0 ** min(failures, 16), LONGEST_RETRY_S)
    return ceiling * (0.5 + jitter / 2)


def note_written(call: ClaimedCall, note_id: str, *, contact_id: str, hub_id: int) -> Outcome:
    """HubSpot named the note, or it was found by reading back."""
    return Outcome(
        id=call.id,
        fence=call.fence,
        status=Status.SUCCESS,
        lane=call.lane,
        searches_done=call.searches_done,
        hub_id=hub_id,
        contact_id=contact_id,
        engagement_id=note_id,
    )


def number_unusable(call: ClaimedCall, error: PhoneError) -> Outcome:
    """There is no number to look up."""
    message = str(error)
    match error:
        case WithheldNumberError():
            reason = Reason.NO_PHONE_NUMBER
            message = END_UNREPORTED_MESSAGE if call.awaits_end else message
        case UnknownDirectionError():
            reason = Reason.UNKNOWN_DIRECTION
        case _:
            reason = Reason.INVALID_PHONE_NUMBER
    return final(call, Status.SKIPPED, reason, message)


def left_out(call: ClaimedCall, verdict: LeftOut) -> Outcome:
    """The customer does not want it in HubSpot."""
    return final(call, Status.SKIPPED, Reason.FILTERED, verdict.message)


def is_looked_up_first(call: ClaimedCall) -> bool:
    """Whether nothing has been learnt or tried of a pending call."""
    is_new = call.searches_done == 0 and not call.calculated_searched and call.failing_for == 0
    return call.status == Status.PENDING and is_new


def awaiting(call: ClaimedCall, verdict: Awaited) -> Outcome:
    """The call is not looked up before a fact of it comes; news makes it due at once."""
    return replace(
        unchanged(call),
        error_message=verdict.message,
        next_in=verdict.seconds,
        is_attempt=False,
    )


def not_in_calculated(call: ClaimedCall, phone_number: str) -> Outcome:
    """Not found by the calculated properties; what people typed is searched with others' soon.

    In the usual spellings, or, at `THOROUGH_SEARCHES`, in any.
    """
    return replace(
        unchanged(call),
        calculated_searched=True,
        next_in=RAW_SEARCH_WAIT_S,
        phone_number=phone_number,
        is_attempt=False,
    )


def contact_missing(call: ClaimedCall, phone_number: str) -> Outcome:
    """A complete search found nobody: search again soon (HubSpot's index lags), then rarely."""
    searches_done = call.searches_done + 1
    is_skipped = searches_done >= SEARCHES_BEFORE_SKIPPING
    return Outcome(
        id=call.id,
        fence=call.fence,
        status=Status.SKIPPED if is_skipped else call.status,
        error_code=Reason.CONTACT_NOT_FOUND,
        error_message=NOT_FOUND_MESSAGE,
        next_in=SEARCH_AGAIN_S[searches_done - 1] if searches_done <= len(SEARCH_AGAIN_S) else None,
        lane=Lane.BACKFILL if is_skipped else Lane.SECOND_LOOK,
        searches_done=searches_done,
        phone_number=phone_number,
    )


def contact_ambiguous(
    call: ClaimedCall, phone_number: str, contact_ids: Collection[str]
) -> Outcome:
    """Several contacts have the number, and the customer wants none of them chosen."""
    outcome = final(call, Status.SKIPPED, Reason.AMBIGUOUS_CONTACT, describe_ambiguity(contact_ids))
    return replace(outcome, phone_number=phone_number)


def contact_vanished(call: ClaimedCall) -> Outcome:
    """The matched contact was deleted or merged before the note was written: match anew.

    HubSpot's index may still find it; whatever it does for a day is the answer.
    """
    if call.failing_for >= RETRY_FOR_S:
        return final(call, Status.SKIPPED, Reason.CONTACT_NOT_FOUND, NOT_FOUND_MESSAGE)
    return replace(
        unchanged(call),
        calculated_searched=False,
        next_in=backoff(call.failures, jitter=1),
        failures=call.failures + 1,
        is_failing=True,
    )


def payload_gone(call: ClaimedCall) -> Outcome:
    """The call's content was deleted before its note could be written."""
    return final(
        call,
        Status.ERROR,
        Reason.PAYLOAD_EXPIRED,
        "The call's content was deleted, as the retention period asks, before it could be synced.",
    )


def errored(
    call: ClaimedCall, error: DestinationError, *, jitter: float, in_doubt: bool
) -> Outcome:
    """HubSpot, or the way to it, failed the call.

    Args:
        call: The claimed call.
        error: What HubSpot said.
        jitter: A random number from 0 to 1.
        in_doubt: A write may have happened, by this request or by an earlier one.
    """
    if isinstance(error, RetryLaterError | TokenRejectedError):
        outcome = _retried(call, error, jitter)
        if in_doubt:
            outcome = _doubted(outcome, error)
    elif isinstance(error, ConfigurationError):
        outcome = replace(
            unchanged(call),
            error_code=_unless_skipped(call, Reason.CONFIGURATION_ERROR),
            error_message=_unless_skipped(
                call, "HubSpot refuses this service's own credentials. Its operators are told."
            ),
            next_in=CONFIGURATION_RETRY_S * (1 + jitter / 4),
        )
    else:
        outcome = _refused(call, error)
    return replace(
        outcome,
        keeps_mark=in_doubt,  # misses count anew: this may have been a write after them
        http_status=error.status,
        correlation_id=error.correlation_id,
    )


def postponed(call: ClaimedCall, error: RetryLaterError, *, seconds: float) -> Outcome:
    """HubSpot asked for patience: wait as long as it says, without burning an attempt."""
    if call.failing_for >= RETRY_FOR_S:
        return errored(call, error, jitter=0, in_doubt=call.marked_for is not None)
    return replace(
        unchanged(call),
        error_code=_unless_skipped(call, reason_of(error)),
        error_message=_unless_skipped(call, error.message),
        next_in=seconds,
        # Using up a limit for a day is a failure; being moved between data centres is not.
        is_failing=isinstance(error, RateLimitedError),
        keeps_mark=call.marked_for is not None,
        is_attempt=False,
    )


def _retried(call: ClaimedCall, error: DestinationError, jitter: float) -> Outcome:
    reason = reason_of(error)
    if call.failing_for >= RETRY_FOR_S:
        if call.status == Status.SKIPPED:
            return replace(unchanged(call), next_in=None)
        return final(
            call, Status.ERROR, reason, f"Given up after a day of retries: {error.message}"
        )
    wait = backoff(call.failures, jitter)
    if isinstance(error, RetryLaterError) and error.retry_after is not None:
        wait = max(wait, error.retry_after * (1 + jitter / 10))
    return replace(
        unchanged(call),
        error_code=_unless_skipped(call, reason),
        error_message=_unless_skipped(call, error.message),
        next_in=wait,
        failures=call.failures + 1,
        is_failing=True,
    )


def _doubted(outcome: Outcome, error: DestinationError) -> Outcome:
    if outcome.next_in is None:
        return outcome
    return replace(
        outcome,
        error_code=reason_of(error),
        error_message=IN_DOUBT_MESSAGE.format(error.message),
        next_in=max(outcome.next_in, FIRST_READ_BACK_S),
    )


def _refused(call: ClaimedCall, error: DestinationError) -> Outcome:
    if call.status == Status.SKIPPED and not isinstance(error, RejectedError):
        # It was only looked up again, and may be once the connection is mended.
        return replace(unchanged(call), next_in=SEARCH_WITHOUT_CONNECTION_S)
    message = RECONNECT_MESSAGE if isinstance(error, GrantRevokedError) else error.message
    if isinstance(error, MissingScopesError):
        message = f"Reconnect HubSpot to grant what is missing. {message}"
    return final(call, Status.ERROR, reason_of(error), message)


def reason_of(error: DestinationError) -> Reason:
    """The sync log's code for an error of HubSpot's."""
    reasons: tuple[tuple[type[DestinationError], Reason], ...] = (
        (RateLimitedError, Reason.RATE_LIMITED),
        (NetworkError, Reason.NETWORK_ERROR),
        (RejectedError, Reason.REJECTED_BY_HUBSPOT),
        (MissingScopesError, Reason.MISSING_SCOPES),
        (GrantRevokedError, Reason.RECONNECT_REQUIRED),
        (ConfigurationError, Reason.CONFIGURATION_ERROR),
    )
    matches = (reason for kind, reason in reasons if isinstance(error, kind))
    return next(matches, Reason.HUBSPOT_UNAVAILABLE)


def unchanged(call: ClaimedCall) -> Outcome:
    """The call as it was; a skipped call that is being looked up again keeps its reason."""
    return Outcome(
        id=call.id,
        fence=call.fence,
        status=call.status,
        error_code=_if_skipped(call, Reason.CONTACT_NOT_FOUND),
        error_message=_if_skipped(call, NOT_FOUND_MESSAGE),
        lane=call.lane,
        searches_done=call.searches_done,
        calculated_searched=call.calculated_searched,
        failures=call.failures,
    )


def final(call: ClaimedCall, status: Status, reason: Reason, message: str) -> Outcome:
    """The call ends, with a reason."""
    return Outcome(
        id=call.id,
        fence=call.fence,
        status=status,
        error_code=reason,
        error_message=message,
        lane=call.lane,
        searches_done=call.searches_done,
    )


def _if_skipped(call: ClaimedCall, text: str) -> str | None:
    return text if call.status == Status.SKIPPED else None


def _unless_skipped(call: ClaimedCall, text: str) -> str:
    if call.status != Status.SKIPPED:
        return text
    return Reason.CONTACT_NOT_FOUND if isinstance(text, Reason) else NOT_FOUND_MESSAGE
