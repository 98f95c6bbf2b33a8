"""Settling writes in doubt: each found note is adopted, each certain miss may be written again."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from redis import RedisError

from shared.hubspot.errors import (
    AccountLockedError,
    RateLimitedError,
    RejectedError,
    RetryLaterError,
    UnavailableError,
)
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from shared.queue.strays import Surplus, add_surplus
from shared.telemetry.metrics import NOTES
from worker.rounds import transitions
from worker.rounds.reconciling import ContactGone, Finding, Found, Unknown, read_back
from worker.rounds.turn import Turn
from worker.rounds.writing import MatchedCall


def settle_doubts(turn: Turn) -> list[MatchedCall]:
    """Read back the calls whose last write is in doubt; returns those to write again.

    A failure to read back is recorded for these calls alone and does not end the turn.
    """
    doubted = [call for call in turn.open.values() if call.marked_for is not None]
    elsewhere = [call for call in doubted if call.hub_id != turn.hub_id]
    turn.record([transitions.account_changed(call) for call in elsewhere])
    here = [call for call in doubted if call.hub_id == turn.hub_id]
    if not here:
        return []
    try:
        findings = read_back(turn.hubspot, here)
    except RejectedError as error:
        # A refusal to read says nothing about the calls.
        turn.fail(here, UnavailableError(error.message, status=error.status))
        return []
    except (RateLimitedError, AccountLockedError):
        raise  # concerns every call of the account
    except RetryLaterError as error:
        turn.fail(here, error)
        return []
    return _act_on(turn, here, findings)


def _act_on(
    turn: Turn, calls: Sequence[ClaimedCall], findings: dict[str, Finding]
) -> list[MatchedCall]:
    to_write: list[MatchedCall] = []
    outcomes: list[Outcome] = []
    for call in calls:
        contact_id = call.contact_id or ""
        match findings[call.id]:
            case Found(note_id, surplus):
                NOTES.labels("adopted").inc()
                outcomes.append(turn.written(call, note_id, contact_id))
                _remember_surplus(turn, call, surplus)
            case Unknown(survivor_id):
                if survivor_id is not None:
                    _forget_match(turn, call)
                outcomes.append(transitions.read_back_unknown(call, survivor_id))
            case ContactGone():
                _forget_match(turn, call)
                outcomes.append(transitions.contact_vanished(call))
            case _ if not transitions.may_write_again(call):
                outcomes.append(transitions.read_back_missed(call))
            case _ if call.is_content_gone:
                outcomes.append(transitions.payload_gone(call))
            case _:
                # The doubt is over: what HubSpot says of the new write is all that counts.
                settled = replace(call, marked_for=None, read_back_misses=0)
                to_write.append(MatchedCall(settled, contact_id, None))
    turn.record(outcomes)
    return to_write


def _forget_match(turn: Turn, call: ClaimedCall) -> None:
    """Let other calls of the caller find whose number it is now; a mark has stored it in full."""
    if call.phone_number is not None:
        with suppress(RedisError):  # matches expire by themselves, and outcomes wait to be recorded
            turn.cache.forget(call.phone_number)


def _remember_surplus(turn: Turn, call: ClaimedCall, note_ids: tuple[str, ...]) -> None:
    if note_ids:
        with turn.resources.database.begin() as session:
            add_surplus(session, [Surplus(call.id, turn.hub_id, each) for each in note_ids])
