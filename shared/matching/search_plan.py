"""Contact searches that look for as many phone numbers at once as HubSpot's limits allow."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.hubspot.models import MAX_SEARCH_BODY, ContactFilter, ContactSearch
from shared.matching.spellings import spellings
from shared.phone import PhoneNumber
from shared.settings import MatchPolicy

# What people typed, beside the E.164 that HubSpot calculated from it.
CALCULATED_BY_RAW = {
    "phone": "hs_calculated_phone_number",
    "mobilephone": "hs_calculated_mobile_number",
}
_SEARCHABLE = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")
_PROPERTIES = (*CALCULATED_BY_RAW, *CALCULATED_BY_RAW.values())


@dataclass(frozen=True, slots=True)
class PackedSearch:
    """One search for the numbers `taken`; those `left` did not fit into its body."""

    search: ContactSearch
    taken: tuple[PhoneNumber, ...]
    left: tuple[PhoneNumber, ...]


def pack_calculated(numbers: Sequence[PhoneNumber], policy: MatchPolicy) -> PackedSearch:
    """Search the properties in which HubSpot keeps national digits: about 100 numbers a body."""
    return _pack(numbers, policy, _SEARCHABLE, lambda number: number.national_digits)


def pack_raw(numbers: Sequence[PhoneNumber], policy: MatchPolicy) -> PackedSearch:
    """Search what people typed, in the usual spellings: about 5 numbers a body."""
    return _pack(numbers, policy, tuple(CALCULATED_BY_RAW), spellings)


def _pack(
    numbers: Sequence[PhoneNumber],
    policy: MatchPolicy,
    properties: tuple[str, ...],
    values_of: Callable[[PhoneNumber], tuple[str, ...]],
) -> PackedSearch:
    def search_for(count: int) -> ContactSearch:
        # Numbers of different countries may share their national digits.
        values = dict.fromkeys(value for number in numbers[:count] for value in values_of(number))
        return ContactSearch(
            filters=tuple(ContactFilter(name, tuple(values)) for name in properties),
            properties=_PROPERTIES,
            sort_by="createdate" if policy == "oldest" else "lastmodifieddate",
            descending=policy != "oldest",
        )

    fitting = bisect_right(
        range(len(numbers) + 1), MAX_SEARCH_BODY, key=lambda count: len(search_for(count).body())
    )
    taken = fitting - 1  # the counts begin with 0
    return PackedSearch(search_for(taken), tuple(numbers[:taken]), tuple(numbers[taken:]))
