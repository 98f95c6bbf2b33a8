"""Contact searches that look for as many phone numbers at once as HubSpot's limits allow."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.hubspot.models import (
    MAX_SEARCH_BODY,
    ContactFilter,
    ContactSearch,
    PieceFilter,
)
from shared.matching.pieces import MOST_PIECES, pieces_of
from shared.matching.scope import SearchScope
from shared.matching.spellings import spellings
from shared.phone import PhoneNumber

MOST_PROBES = 5
"""What a thorough search holds: HubSpot takes five alternatives."""

# What people typed, beside the E.164 that HubSpot calculated from it.
CALCULATED_BY_RAW = {
    "phone": "hs_calculated_phone_number",
    "mobilephone": "hs_calculated_mobile_number",
}
_SEARCHABLE = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")
_READ = (*CALCULATED_BY_RAW, *CALCULATED_BY_RAW.values())

_Values = Callable[[PhoneNumber], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PackedSearch:
    """One search for the numbers `taken`; those `left` did not fit into its body."""

    search: ContactSearch
    taken: tuple[PhoneNumber, ...]
    left: tuple[PhoneNumber, ...]


class Probe(NamedTuple):
    """A number to look for, by its pieces, in one property."""

    number: PhoneNumber
    property: str


def pack_calculated(numbers: Sequence[PhoneNumber], scope: SearchScope) -> PackedSearch:
    """Search the properties in which HubSpot keeps national digits: about 100 numbers a body."""
    values = dict.fromkeys(_SEARCHABLE, _national_digits)
    fitting = _count_fitting(numbers, values, scope)
    return _pack(numbers[:fitting], numbers[fitting:], values, scope)


def pack_raw(numbers: Sequence[PhoneNumber], scope: SearchScope) -> PackedSearch:
    """Search what people typed, in the usual spellings: about 10 numbers a body, at least one.

    Spellings that name the country HubSpot reads itself, wherever the account is: they are left out
    for the two properties that it calculates from, unless the account refuses those.
    """
    most = 2 * max((len(spellings(number)) for number in numbers[:1]), default=0)
    while True:
        typed = _all_spellings(most) if scope.is_raw else _domestic_spellings(most)
        values = dict.fromkeys(CALCULATED_BY_RAW, typed)
        values |= dict.fromkeys(scope.phone_properties, _all_spellings(most))
        fitting = _count_fitting(numbers, values, scope)
        if fitting or not numbers:
            return _pack(numbers[:fitting], numbers[fitting:], values, scope)
        most //= 2  # the names of the properties are long: the usual spellings come first


def count_fitting_probes(probes: Sequence[Probe], scope: SearchScope) -> int:
    """How many of the first `probes` one search holds: `MOST_PROBES`, or fewer with long names."""
    most = min(len(probes), MOST_PROBES)
    while len(probe_search(probes[:most], scope).body()) > MAX_SEARCH_BODY:
        most -= 1
    return most


def probe_search(
    probes: Sequence[Probe], scope: SearchScope, *, pieces: int = MOST_PIECES
) -> ContactSearch:
    """Search for so many pieces of up to `MOST_PROBES` numbers, each in one property."""
    filters = [PieceFilter(probe.property, pieces_of(probe.number)[:pieces]) for probe in probes]
    read = (*_READ, *scope.phone_properties, sorted_by(scope))
    return _search(tuple(filters), read, scope)


def _national_digits(number: PhoneNumber) -> tuple[str, ...]:
    return number.national_digits


def _all_spellings(most: int) -> _Values:
    return lambda number: spellings(number)[:most]


def _domestic_spellings(most: int) -> _Values:
    return lambda number: tuple(
        spelling for spelling in spellings(number) if not spelling.startswith(("+", "＋"))
    )[:most]


def _count_fitting(
    numbers: Sequence[PhoneNumber], values: Mapping[str, _Values], scope: SearchScope
) -> int:
    def length(count: int) -> int:
        return len(_pack(numbers[:count], (), values, scope).search.body())

    # The counts begin with 0.
    return bisect_right(range(len(numbers) + 1), MAX_SEARCH_BODY, key=length) - 1


def _pack(
    taken: Sequence[PhoneNumber],
    left: Sequence[PhoneNumber],
    values: Mapping[str, _Values],
    scope: SearchScope,
) -> PackedSearch:
    # Numbers of different countries may share their national digits.
    filters = [
        ContactFilter(name, tuple(dict.fromkeys(each for one in taken for each in values_of(one))))
        for name, values_of in values.items()
    ]
    read = _READ if set(values) == set(_SEARCHABLE) else (*_READ, *scope.phone_properties)
    return PackedSearch(_search(tuple(filters), read, scope), tuple(taken), tuple(left))


def _search(
    filters: tuple[ContactFilter | PieceFilter, ...],
    properties: tuple[str, ...],
    scope: SearchScope,
) -> ContactSearch:
    return ContactSearch(
        filters=filters,
        properties=properties,
        sort_by=sorted_by(scope),
        descending=scope.policy != "oldest",
    )


def sorted_by(scope: SearchScope) -> str:
    """The property that the policy chooses by."""
    return "createdate" if scope.policy == "oldest" else "lastmodifieddate"
