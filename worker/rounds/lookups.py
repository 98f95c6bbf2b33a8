"""From claimed calls to contacts: cache first, then one search for many numbers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from shared.activities.destination import UnavailableError
from shared.calls.directions import read_customers_end
from shared.connections import accounts
from shared.connections.accounts import AccountState
from shared.matching.finding import Findings
from shared.matching.hits import Ambiguous, Match, NoMatch, Refused
from shared.matching.preferences import scope_of
from shared.matching.scope import SearchScope, Stage
from shared.matching.search_plan import pack_calculated, pack_raw
from shared.phone import PhoneError, PhoneNumber, parse_phone
from shared.queue import outcomes
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from worker.rounds import transitions
from worker.rounds.health import retry_jitter
from worker.rounds.round import Round
from worker.rounds.transitions import SEARCH_AGAIN_S, THOROUGH_SEARCHES
from worker.rounds.writing import MatchedCall

# Numbers that fill the body of a raw search, about.
RAW_BODY_NUMBERS: Final = 10
# So many numbers fill two thorough searches; a search takes multiples of it, the others wait.
THOROUGH_FILLING: Final = 5
# Numbers that fill four thorough searches.
THOROUGH_GATHERED: Final = 10
# Eight searches, about two seconds of an account's. The rest waits behind live calls.
THOROUGH_NUMBERS: Final = 20

_RAW_SEARCHES: Final = frozenset(range(len(SEARCH_AGAIN_S) + 1)) - THOROUGH_SEARCHES
_GATHERED: Final = ((_RAW_SEARCHES, RAW_BODY_NUMBERS), (THOROUGH_SEARCHES, THOROUGH_GATHERED))

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Sorted:
    """What a look-up makes of the calls: contacts, outcomes, and the rest to be given back."""

    matched: list[MatchedCall] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    undecided: list[ClaimedCall] = field(default_factory=list)


def match_calls(
    round_: Round, calls: Iterable[ClaimedCall], account: AccountState
) -> Iterator[list[MatchedCall]]:
    """Find each call's contact: first those that are known or calculated, then as people typed.

    Yields the matched calls of each stage, at least once; calls without a contact get their
    outcome recorded before.

    Args:
        round_: The round that holds the calls.
        calls: Claimed calls without a write in doubt.
        account: What is known of the round's account.

    Raises:
        DestinationError: A search failed; the calls of its stage have no outcome.
    """
    result = _Sorted()
    numbered = _parse(calls, round_.region, result)
    known = round_.cache.find(number.e164 for _, number in numbered)
    for call, number in numbered:
        if number.e164 in known:
            result.matched.append(MatchedCall(call, known[number.e164], number.e164))
    unknown = [(call, number) for call, number in numbered if number.e164 not in known]
    scope = scope_of(round_.connection, account, round_.resources.settings)
    for stage in Stage:
        wanted = [each for each in unknown if _stage_of(each[0], scope) is stage]
        _look_up(round_, wanted, result, scope, stage)
        round_.record(result.outcomes)
        round_.give_back(result.undecided)
        _hasten(round_, result.outcomes)
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


def _stage_of(call: ClaimedCall, scope: SearchScope) -> Stage:
    """In which stage a call is looked up in this round."""
    if not call.calculated_searched and not scope.is_raw:
        return Stage.CALCULATED
    return _last_stage_of(call)


def _last_stage_of(call: ClaimedCall) -> Stage:
    """The stage that completes a search: pieces find what the usual spellings find, and more."""
    return Stage.THOROUGH if call.searches_done in THOROUGH_SEARCHES else Stage.RAW


def _look_up(
    round_: Round, numbered: _Numbered, result: _Sorted, scope: SearchScope, stage: Stage
) -> None:
    numbers = {number.e164: number for _, number in numbered}
    if not numbers:
        return
    wanted = tuple(numbers.values())
    if stage is Stage.CALCULATED:
        # One body a round: what does not fit is cheaper in the next round's full one.
        wanted = pack_calculated(wanted, scope).taken
    if stage is Stage.RAW:
        # Likewise, but for numbers that fill no body at all.
        filling = len(pack_raw(wanted, scope).taken)
        wanted = wanted[: len(wanted) // filling * filling or len(wanted)]
    if stage is Stage.THOROUGH:
        wanted = wanted[: len(wanted) // THOROUGH_FILLING * THOROUGH_FILLING or len(wanted)]
        wanted = wanted[:THOROUGH_NUMBERS]
    findings = round_.destination.find(wanted, scope=scope, stage=stage)
    _remember(round_, findings)
    for call, number in numbered:
        _sort(result, call, number, findings)


def _remember(round_: Round, findings: Findings) -> None:
    if findings.calculated_unsupported:
        with round_.resources.database.begin() as session:
            accounts.remember_raw_search(session, round_.hub_id)
    if findings.refused_properties:
        log.warning("phone_properties_refused", properties=findings.refused_properties)
        with round_.resources.database.begin() as session:
            accounts.remember_refused_properties(
                session, round_.hub_id, findings.refused_properties
            )
    round_.cache.keep(
        {
            e164: decision.contact_id
            for e164, decision in findings.decisions.items()
            if isinstance(decision, Match)
        }
    )


def _sort(result: _Sorted, call: ClaimedCall, number: PhoneNumber, findings: Findings) -> None:
    match findings.decisions.get(number.e164):
        case Match(contact_id):
            result.matched.append(MatchedCall(call, contact_id, number.e164))
        case NoMatch(stage) if stage is _last_stage_of(call):
            result.outcomes.append(transitions.contact_missing(call, number.e164))
        case NoMatch():
            result.outcomes.append(transitions.not_in_calculated(call, number.e164))
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


def _hasten(round_: Round, recorded: Iterable[Outcome]) -> None:
    """Make raw searches due at once when enough of them wait to fill a search body."""
    for done, enough in _GATHERED:
        if any(
            outcome.calculated_searched and outcome.searches_done in done for outcome in recorded
        ):
            with round_.resources.database.begin() as session:
                outcomes.hasten_raw_searches(
                    session,
                    user_id=round_.connection.user_id,
                    workspace_id=round_.connection.workspace_id,
                    searches_done=done,
                    enough=enough,
                )
