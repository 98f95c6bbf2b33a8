"""From claimed calls to contacts: cache first, then one search for many numbers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from shared import accounts, outcomes
from shared.claims import ClaimedCall
from shared.directions import read_customers_end
from shared.hubspot.errors import UnavailableError
from shared.matching.finding import Findings, find_contacts
from shared.matching.hits import Ambiguous, Match, NoMatch, Refused
from shared.matching.search_plan import pack_calculated
from shared.outcomes import Outcome
from shared.phone import PhoneError, PhoneNumber, parse_phone
from worker import transitions
from worker.turn import Turn, retry_jitter
from worker.writing import MatchedCall

# Raw look-ups that fill a search body, about.
RAW_BODY_NUMBERS: Final = 5


@dataclass(slots=True)
class _Sorted:
    """What a look-up makes of the calls: contacts, outcomes, and the rest to be given back."""

    matched: list[MatchedCall] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    undecided: list[ClaimedCall] = field(default_factory=list)


def match_calls(
    turn: Turn, calls: Iterable[ClaimedCall], *, is_raw: bool
) -> Iterator[list[MatchedCall]]:
    """Find each call's contact, in stages: those that are known or calculated, then raw ones.

    Yields the matched calls of each stage, at least once; calls without a contact get their
    outcome recorded before.

    Args:
        turn: The turn that holds the calls.
        calls: Claimed calls without a write in doubt.
        is_raw: The account refuses searches on calculated properties.

    Raises:
        HubSpotError: A search failed; the calls of its stage have no outcome.
    """
    result = _Sorted()
    numbered = _parse(calls, turn.region, result)
    known = turn.cache.find(number.e164 for _, number in numbered)
    for call, number in numbered:
        if number.e164 in known:
            result.matched.append(MatchedCall(call, known[number.e164], number.e164))
    unknown = [(call, number) for call, number in numbered if number.e164 not in known]
    for in_raw in (False, True):
        wanted = [each for each in unknown if (each[0].raw_lookup or is_raw) == in_raw]
        _look_up(turn, wanted, result, in_raw=in_raw)
        turn.record(result.outcomes)
        turn.give_back(result.undecided)
        _hasten(turn, result.outcomes)
        yield result.matched
        result = _Sorted()


_Numbered = list[tuple[ClaimedCall, PhoneNumber]]


def _parse(calls: Iterable[ClaimedCall], region: str, result: _Sorted) -> _Numbered:
    numbered = []
    for call in calls:
        try:
            raw = call.phone_number or read_customers_end(call.payload or {})
            numbered.append((call, parse_phone(raw, region)))
        except PhoneError as error:
            result.outcomes.append(transitions.number_unusable(call, error))
    return numbered


def _look_up(turn: Turn, numbered: _Numbered, result: _Sorted, *, in_raw: bool) -> None:
    numbers = {number.e164: number for _, number in numbered}
    if not numbers:
        return
    wanted = tuple(numbers.values())
    if not in_raw:
        # One body a turn: what does not fit is cheaper in the next turn's full one.
        wanted = pack_calculated(wanted, turn.policy).taken
    findings = find_contacts(
        turn.hubspot,
        wanted,
        region=turn.region,
        policy=turn.policy,
        in_raw=in_raw,
        may_search=turn.hubspot.may_search,
    )
    if findings.calculated_unsupported:
        with turn.resources.database.begin() as session:
            accounts.remember_raw_search(session, turn.hub_id)
    turn.cache.keep(
        {
            e164: decision.contact_id
            for e164, decision in findings.decisions.items()
            if isinstance(decision, Match)
        }
    )
    for call, number in numbered:
        _sort(result, call, number, findings)


def _sort(result: _Sorted, call: ClaimedCall, number: PhoneNumber, findings: Findings) -> None:
    match findings.decisions.get(number.e164):
        case Match(contact_id):
            result.matched.append(MatchedCall(call, contact_id, number.e164))
        case NoMatch(in_raw=True):
            result.outcomes.append(transitions.contact_missing(call, number.e164))
        case NoMatch():
            result.outcomes.append(transitions.raw_lookup_wanted(call, number.e164))
        case Ambiguous(contact_ids):
            result.outcomes.append(transitions.contact_ambiguous(call, number.e164, contact_ids))
        case Refused(error):
            # Says nothing about the call, so it is retried like any answer we cannot use.
            unusable = UnavailableError(
                error.message, status=error.status, correlation_id=error.correlation_id
            )
            result.outcomes.append(
                transitions.errored(call, unusable, jitter=retry_jitter(), in_doubt=False)
            )
        case _:
            result.undecided.append(call)


def _hasten(turn: Turn, recorded: Iterable[Outcome]) -> None:
    if any(outcome.raw_lookup for outcome in recorded):
        with turn.resources.database.begin() as session:
            outcomes.hasten_raw_lookups(
                session,
                user_id=turn.connection.user_id,
                workspace_id=turn.connection.workspace_id,
                enough=RAW_BODY_NUMBERS,
            )
