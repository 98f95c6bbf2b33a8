"""Settling writes in doubt: each found note is adopted, each certain miss may be written again."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from redis import RedisError

from shared.activities.destination import (
    AccountLockedError,
    ActivityKind,
    ContactGone,
    Destination,
    Finding,
    Found,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    Sought,
    UnavailableError,
    Unknown,
)
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from shared.queue.strays import Surplus, add_surplus
from shared.telemetry.metrics import NOTES
from worker.rounds import doubts, transitions
from worker.rounds.doubts import Doubt
from worker.rounds.round import Round
from worker.rounds.writing import MatchedCall


def settle_doubts(round_: Round) -> list[MatchedCall]:
    """Read back the calls whose last write is in doubt; returns those to write again.

    A failure to read back is recorded for these calls alone and does not end the round.
    """
    doubted = [call for call in round_.open.values() if call.marked_for is not None]
    elsewhere = [call for call in doubted if call.hub_id != round_.hub_id]
    round_.record([doubts.account_changed(call) for call in elsewhere])
    here = [call for call in doubted if call.hub_id == round_.hub_id]
    if not here:
        return []
    try:
        findings = read_back(round_.destination, here)
    except RejectedError as error:
        # A refusal to read says nothing about the calls.
        round_.fail(here, UnavailableError(error.message, status=error.status))
        return []
    except (RateLimitedError, AccountLockedError):
        raise  # concerns every call of the account
    except RetryLaterError as error:
        round_.fail(here, error)
        return []
    return _act_on(round_, here, findings)


def read_back(destination: Destination, calls: Sequence[Doubt]) -> Mapping[str, Finding]:
    """Look for the note of each call on the contact that its mark names; keyed by log id.

    Always the stored contact, never a new match.

    Raises:
        DestinationError, OutOfBudgetError: Nothing is known of any of them.
    """
    findings = destination.look_for(
        [
            Sought(
                log_id=call.id,
                contact_id=call.contact_id or "",
                since=call.received_at,
                is_last_look=doubts.may_write_again(call),
                kind=ActivityKind(call.activity),
            )
            for call in calls
        ]
    )
    # Until then it may still be written on the survivor of a merge.
    too_early = {call.id for call in calls if not doubts.is_late(call)}
    return {
        log_id: Unknown() if isinstance(finding, ContactGone) and log_id in too_early else finding
        for log_id, finding in findings.items()
    }


def _act_on(
    round_: Round, calls: Sequence[ClaimedCall], findings: Mapping[str, Finding]
) -> list[MatchedCall]:
    to_write: list[MatchedCall] = []
    outcomes: list[Outcome] = []
    for call in calls:
        contact_id = call.contact_id or ""
        match findings[call.id]:
            case Found(activity_id, surplus):
                NOTES.labels("adopted").inc()
                outcomes.append(round_.written(call, activity_id, contact_id))
                _remember_surplus(round_, call, surplus)
            case Unknown(survivor_id):
                if survivor_id is not None:
                    _forget_match(round_, call)
                outcomes.append(doubts.read_back_unknown(call, survivor_id))
            case ContactGone():
                _forget_match(round_, call)
                outcomes.append(transitions.contact_vanished(call))
            case _ if not doubts.may_write_again(call):
                outcomes.append(doubts.read_back_missed(call))
            case _ if call.is_content_gone:
                outcomes.append(transitions.payload_gone(call))
            case _:
                # The doubt is over: what HubSpot says of the new write is all that counts.
                settled = replace(call, marked_for=None, read_back_misses=0)
                to_write.append(MatchedCall(settled, contact_id, None))
    round_.record(outcomes)
    return to_write


def _forget_match(round_: Round, call: ClaimedCall) -> None:
    """Let other calls of the caller find whose number it is now; a mark has stored it in full."""
    if call.phone_number is not None:
        with suppress(RedisError):  # matches expire by themselves, and outcomes wait to be recorded
            round_.cache.forget(call.phone_number)


def _remember_surplus(round_: Round, call: ClaimedCall, activity_ids: tuple[str, ...]) -> None:
    if activity_ids:
        with round_.resources.database.begin() as session:
            add_surplus(session, [Surplus(call.id, round_.hub_id, each) for each in activity_ids])
