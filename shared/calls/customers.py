"""Who of a call's two parties is the customer, once it is known which numbers are your own."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from shared.calls.directions import (
    Direction,
    choose_end,
    find_customers_number,
    is_sent,
    read_customers_end,
    read_direction,
)
from shared.phone import NO_REGION, PhoneError, parse_phone

OWN_NUMBERS: Final = "own_numbers"


class OwnNumbersError(Exception):
    """Whoever is known to have taken part is one of your own numbers: nobody is a customer."""

    def __init__(self) -> None:
        super().__init__(
            "Left out by your setting own_numbers: each number of this call is one of your own."
        )


class Parties(NamedTuple):
    """The two sides of a call as they were written; None where one is not known."""

    customer: str | None
    line: str | None


def read_e164(raw: str | None, region: str) -> str | None:
    """A number in full; None if it is withheld or cannot be read."""
    with suppress(PhoneError):
        return parse_phone(raw, region).e164
    return None


def spread_parties(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a call source as fields of a call: `parties` become its two ends, without an order.

    Which of them is the customer is decided when the call is looked up (`find_parties`), and again
    when your own numbers change.
    """
    fields = {name: value for name, value in facts.items() if name != "parties"}
    parties = facts.get("parties")
    if parties is None or read_direction(fields.get("direction")) is not None:
        return fields
    ends = dict(zip(("from_number", "to_number"), parties, strict=True))
    return {name: value for name, value in ends.items() if value is not None} | fields


def find_parties(
    fields: Mapping[str, Any], *, own_numbers: Collection[str] = (), region: str = NO_REGION
) -> Parties:
    """The customer's number, and the number of your own side.

    One of your own numbers is never the customer's. Without a direction the customer is the party
    that has none of them.

    Args:
        fields: `phone_number`, `direction`, `from_number`, `to_number` of a call.
        own_numbers: In E.164.
        region: Of numbers without a country code.

    Raises:
        UnknownDirectionError: Nothing says which party is the customer.
        OwnNumbersError: All that are known are your own.
    """
    given, ends = fields.get("phone_number"), (fields.get("from_number"), fields.get("to_number"))

    def is_own(raw: str | None) -> bool:
        return bool(own_numbers) and read_e164(raw, region) in own_numbers

    def beside(customer: str | None) -> Parties:
        return Parties(customer, _find_line(customer, fields, region))

    is_given_own = is_own(given)
    if is_sent(given) and not is_given_own:
        return beside(given)
    are_own = [is_own(end) for end in ends]
    if all(are_own) or (is_given_own and not any(map(_is_of_another, ends, are_own))):
        raise OwnNumbersError
    chosen = choose_end(fields.get("direction"), *ends)
    if read_direction(fields.get("direction")) is not None and not is_own(chosen):
        return beside(chosen)
    if any(are_own):
        place = are_own.index(False)
        return Parties(ends[place], ends[1 - place])
    if is_given_own:
        # What was given as the customer's is your own line: that says nothing of who it is.
        fields = {name: value for name, value in fields.items() if name != "phone_number"}
    return beside(read_customers_end(fields))


def _is_of_another(end: str | None, is_own: bool) -> bool:
    """Whether somebody else was there, even if the number is withheld."""
    return bool(end) and not is_own


def _find_line(customer: str | None, fields: Mapping[str, Any], region: str) -> str | None:
    """The end that is not the customer's."""
    caller, called = fields.get("from_number"), fields.get("to_number")
    match read_direction(fields.get("direction")):
        case Direction.INBOUND:
            return called
        case Direction.OUTBOUND:
            return caller
    number = read_e164(customer, region)
    if number is not None and number == read_e164(caller, region):
        return called
    if number is not None and number == read_e164(called, region):
        return caller
    return None


def find_number_to_store(
    fields: Mapping[str, Any], own_numbers: Collection[str] = ()
) -> str | None:
    """The customer's number as the log has it before any look-up: in E.164 if it names its country.

    None if it is withheld or not known.
    """
    if not own_numbers:
        return find_customers_number(fields)
    try:
        customer = find_parties(fields, own_numbers=own_numbers).customer
    except (PhoneError, OwnNumbersError):
        return None
    return find_customers_number({"phone_number": customer})
