"""What the hits of a search say about a number: who truly has it, and which contact to take."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.hubspot.errors import RejectedError
from shared.hubspot.models import Contact
from shared.matching.search_plan import CALCULATED_BY_RAW
from shared.phone import PhoneError, PhoneNumber, parse_phone
from shared.settings import MatchPolicy


@dataclass(frozen=True, slots=True)
class Match:
    contact_id: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several contacts have the number, and the policy is to skip such calls."""

    contact_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoMatch:
    """No contact has the number, as far as the calculated or (`in_raw`) the raw properties say."""

    in_raw: bool


@dataclass(frozen=True, slots=True)
class Undecided:
    """Not searched, or not to the end: look the number up again, beside fewer others."""


@dataclass(frozen=True, slots=True)
class Refused:
    """HubSpot refuses a search for this number alone, which says nothing about the call."""

    error: RejectedError


Decision = Match | Ambiguous | NoMatch | Undecided | Refused


def numbers_of(contact: Contact, region: str) -> frozenset[str]:
    """Return the numbers, as E.164, that the contact's phone and mobile phone stand for.

    What was typed counts as read in `region`. What HubSpot calculated counts too, because its
    account may have another default country than `region`, and because what was typed may be
    masked; but not against a country code that was typed.
    """
    found = set()
    for raw, calculated in CALCULATED_BY_RAW.items():
        typed = _parse(contact.properties.get(raw), region)
        if typed is not None:
            found.add(typed.e164)
        if typed is None or not typed.names_country:
            guessed = _parse(contact.properties.get(calculated), region)
            if guessed is not None:
                found.add(guessed.e164)
    return frozenset(found)


def decide(contact_ids: Sequence[str], policy: MatchPolicy, *, in_raw: bool) -> Decision:
    """Choose among the contacts that certainly have a number, given in the policy's order."""
    if not contact_ids:
        return NoMatch(in_raw)
    if policy == "skip" and len(contact_ids) > 1:
        return Ambiguous(tuple(contact_ids))
    return Match(contact_ids[0])


def _parse(raw: str | None, region: str) -> PhoneNumber | None:
    try:
        return parse_phone(raw, region)
    except PhoneError:
        return None
