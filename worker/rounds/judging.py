"""What the customer has decided of calls that are about to be looked up: some are left out or wait.

Nothing is judged of a call of which a write is in doubt, or that is written.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from shared.calls.choices import Choices
from shared.calls.contents import KnownCall, read_known
from shared.calls.customers import OWN_NUMBERS, OwnNumbersError, find_parties
from shared.calls.rules import Awaited, LeftOut
from shared.phone import PhoneError, parse_phone
from shared.queue.claims import ClaimedCall
from shared.queue.outcomes import Outcome
from worker.rounds import transitions
from worker.rounds.round import Round

NUMBERS: Final = ("phone_number", "from_number", "to_number")


def judge_calls(round_: Round, calls: Iterable[ClaimedCall]) -> list[ClaimedCall]:
    """The calls that may be looked up now, each with its customer's number.

    The outcome of the others is recorded. Costs nothing where the customer has decided nothing.
    """
    wanted = list(calls)
    choices = Choices.of(round_.connection.choices)
    if not choices.can_change_a_call:
        return wanted
    with round_.resources.database.read() as session:
        known = read_known(session, [call.id for call in wanted])
    outcomes: list[Outcome] = []
    passed = []
    for call in wanted:
        match _judge(call, known.get(call.id), choices, round_.region):
            case Outcome() as outcome:
                outcomes.append(outcome)
            case ClaimedCall() as judged:
                passed.append(judged)
    round_.record(outcomes)
    return passed


def _judge(
    call: ClaimedCall, known: KnownCall | None, choices: Choices, region: str
) -> Outcome | ClaimedCall:
    if known is None:  # its content was deleted a moment ago
        return call
    content = known.content
    if call.phone_number is not None and not any(map(content.get, NUMBERS)):
        content = {**content, "phone_number": call.phone_number}
    unusable = None
    try:
        if choices.own_numbers:
            parties = find_parties(content, own_numbers=choices.own_numbers, region=region)
            call = replace(call, phone_number=parties.customer)
            parse_phone(parties.customer, region)
    except OwnNumbersError as error:
        return transitions.left_out(call, LeftOut(OWN_NUMBERS, str(error)))
    except PhoneError as error:
        unusable = error
    verdict = choices.decide(
        choices.read_facts(
            content,
            region=region,
            withdrawn=known.withdrawn,
            is_final=known.is_final,
            ended_for=known.ended_for,
        )
    )
    if isinstance(verdict, LeftOut):
        return transitions.left_out(call, verdict)
    if unusable is not None:
        return transitions.number_unusable(call, unusable)
    if isinstance(verdict, Awaited) and transitions.is_looked_up_first(call):
        return transitions.awaiting(call, verdict)
    return call
