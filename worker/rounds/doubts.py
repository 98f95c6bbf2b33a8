"""What a call may do next while a write of it is in doubt: pure functions, as in `transitions`.

A write is *in doubt* between its mark and a definite answer. While it is, the mark stays and only
reading HubSpot back may end the doubt: with the note, or with two misses of which the last is late
enough that a create cannot commit any more.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from shared.activities.destination import DestinationError
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from shared.reasons import DOUBT_ELSEWHERE_MESSAGE, Reason, Status
from worker.rounds.transitions import (
    FIRST_READ_BACK_S,
    IN_DOUBT_MESSAGE,
    RETRY_FOR_S,
    backoff,
    errored,
    final,
    unchanged,
)

# HubSpot cuts a request off after 100 s; until then an unanswered create may still commit.
LATE_COMMIT_S: Final = 120.0
MISSES_BEFORE_REWRITING: Final = 2


class Doubt(Protocol):
    """A call of which a write is in doubt: its log id, of what, where, and for how long already."""

    @property
    def id(self) -> str: ...
    @property
    def activity(self) -> str: ...
    @property
    def contact_id(self) -> str | None: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def marked_for(self) -> float | None: ...
    @property
    def read_back_misses(self) -> int: ...


def may_write_again(doubt: Doubt) -> bool:
    """Whether a read-back that misses the note now ends the doubt."""
    return is_late(doubt) and doubt.read_back_misses + 1 >= MISSES_BEFORE_REWRITING


def is_late(doubt: Doubt) -> bool:
    """Whether the write cannot commit any more if it has not by now."""
    return (doubt.marked_for or 0) >= LATE_COMMIT_S


def write_doubted(
    call: ClaimedCall, error: DestinationError, *, jitter: float, hub_id: int, contact_id: str
) -> Outcome:
    """A create may have written the note, to this contact, and HubSpot did not say."""
    outcome = errored(call, error, jitter=jitter, in_doubt=True)
    return replace(outcome, hub_id=hub_id, contact_id=contact_id)


def account_changed(call: ClaimedCall) -> Outcome:
    """A write is in doubt in an account that is not connected any more."""
    outcome = final(call, Status.ERROR, Reason.UNCONFIRMED, DOUBT_ELSEWHERE_MESSAGE)
    return replace(outcome, keeps_mark=True)


def read_back_missed(call: ClaimedCall) -> Outcome:
    """HubSpot does not show the note, but it may still appear: ask once more, late enough."""
    return replace(
        _still_in_doubt(call, "the note is not there yet"),
        read_back_misses=call.read_back_misses + 1,
    )


def read_back_unknown(call: ClaimedCall, contact_id: str | None) -> Outcome:
    """HubSpot did not answer for the contact; `contact_id` names the survivor of a merge.

    The misses so far were about the contact that was merged away, so they count anew.
    """
    outcome = _still_in_doubt(call, "the contact could not be read")
    if outcome.next_in is None:
        return outcome
    if contact_id is None:  # nothing was learnt: ask ever more rarely
        return replace(outcome, next_in=max(outcome.next_in, backoff(call.failures, jitter=1)))
    return replace(outcome, contact_id=contact_id, next_in=FIRST_READ_BACK_S, read_back_misses=0)


def _still_in_doubt(call: ClaimedCall, what: str) -> Outcome:
    if call.failing_for >= RETRY_FOR_S:
        message = f"A note may have been written, but HubSpot could not confirm it: {what}."
        return replace(final(call, Status.ERROR, Reason.UNCONFIRMED, message), keeps_mark=True)
    until_late = LATE_COMMIT_S - (call.marked_for or 0)
    return replace(
        unchanged(call),
        error_code=Reason.HUBSPOT_UNAVAILABLE,
        error_message=IN_DOUBT_MESSAGE.format(what),
        next_in=max(until_late + 1, FIRST_READ_BACK_S),
        is_failing=True,
        failures=call.failures + 1,
        keeps_mark=True,
        read_back_misses=call.read_back_misses,
    )
