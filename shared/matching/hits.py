"""What the hits of a search say about a number: who truly has it, and which contact to take."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.configuration.settings import MatchPolicy
from shared.hubspot.errors import RejectedError
from shared.hubspot.models import Contact
from shared.matching.scope import SearchScope, Stage
from shared.matching.search_plan import CALCULATED_BY_RAW
from shared.phone import find_numbers, has_other_digits


@dataclass(frozen=True, slots=True)
class Match:
    contact_id: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several contacts have the number, and the policy is to skip such calls."""

    contact_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No contact has the number, as far as this stage of searching says."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not searched, or not to the end: look the number up again, beside fewer others."""


@dataclass(frozen=True, slots=True)
class Refused:
    """HubSpot refuses a search for this number alone, which says nothing about the call."""

    error: RejectedError


Decision = Match | Ambiguous | NoMatch | Undecided | Refused


def numbers_of(contact: Contact, scope: SearchScope) -> frozenset[str]:
    """Return the numbers, as E.164, that the contact's phone properties stand for.

    Every number that was typed counts, as read in the scope's region. What HubSpot calculated
    counts too, because its account may have another default country, and because what was typed may
    be masked; but not against country codes that were typed, nor from the digits of an order.
    """
    found = set()
    for raw in (*CALCULATED_BY_RAW, *scope.phone_properties):
        text = contact.properties.get(raw)
        typed = find_numbers(text, scope.region)
        found |= {number.e164 for number in typed}
        is_settled = typed and all(one.names_country for one in typed)
        if raw in CALCULATED_BY_RAW and not (is_settled or has_other_digits(text)):
            calculated = contact.properties.get(CALCULATED_BY_RAW[raw])
            found |= {number.e164 for number in find_numbers(calculated, scope.region)}
    return frozenset(found)


def decide(contact_ids: Sequence[str], policy: MatchPolicy, stage: Stage) -> Decision:
    """Choose among the contacts that certainly have a number, given in the policy's order."""
    if not contact_ids:
        return NoMatch(stage)
    if policy == "skip" and len(contact_ids) > 1:
        return Ambiguous(tuple(contact_ids))
    return Match(contact_ids[0])
