"""The thorough look: numbers searched by their pieces, whatever stands around and between them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from shared.hubspot.errors import RejectedError
from shared.hubspot.models import ContactPage, ContactSearch
from shared.matching.asking import Asker, BudgetSpentError
from shared.matching.hits import Decision, decide, numbers_of
from shared.matching.pieces import MOST_PIECES
from shared.matching.scope import SearchScope, Stage
from shared.matching.search_plan import (
    CALCULATED_BY_RAW,
    Probe,
    count_fitting_probes,
    probe_search,
    sorted_by,
)
from shared.phone import PhoneNumber

# Of 200 contacts; pieces leave about one in a thousand, so accounts of millions are bounded.
MAX_PAGES = 5


def look_thoroughly(
    asker: Asker, numbers: Sequence[PhoneNumber], scope: SearchScope
) -> dict[str, Decision]:
    """Decide the numbers, by E.164, as far as the budget goes; the others have no decision.

    A search that HubSpot refuses finds nobody: it says nothing about the call, and all other stages
    have been through by then. Raises every HubSpotError but RejectedError.
    """
    look = _ThoroughLook(asker, scope)
    try:
        look.search(numbers)
    except BudgetSpentError:
        pass
    except _TokensRefusedError:
        look.waiting.clear()
    return {
        number.e164: decide(look.owners_of(number), scope.policy, Stage.THOROUGH)
        for number in numbers
        if not look.waiting[number.e164]
    }


class _TokensRefusedError(Exception):
    """HubSpot refuses even a single probe, and has answered none."""


class _ThoroughLook:
    """The state of one `look_thoroughly`.

    Attributes:
        waiting: How many probes of each number are not answered, by E.164.
    """

    def __init__(self, asker: Asker, scope: SearchScope) -> None:
        self.waiting: Counter[str] = Counter()
        self._asker = asker
        self._scope = scope
        self._has_answered = False
        self._pieces = 1
        # By E.164: what the contacts that have the number are sorted by, by contact id. The probes
        # of one number may come in two searches, so HubSpot's own order does not suffice.
        self._owners: dict[str, dict[str, str]] = defaultdict(dict)

    def search(self, numbers: Sequence[PhoneNumber]) -> None:
        """Ask every probe, five a search."""
        names = (*CALCULATED_BY_RAW, *self._scope.phone_properties)
        probes = [Probe(number, name) for number in numbers for name in names]
        self.waiting = Counter(probe.number.e164 for probe in probes)
        while probes:
            fitting = count_fitting_probes(probes, self._scope)
            self._ask_or_split(probes[:fitting])
            probes = probes[fitting:]

    def owners_of(self, number: PhoneNumber) -> list[str]:
        """The contacts that have the number, in the policy's order."""
        owners = self._owners.get(number.e164, {})
        return sorted(owners, key=owners.__getitem__, reverse=self._scope.policy != "oldest")

    def _ask_or_split(self, probes: Sequence[Probe]) -> None:
        try:
            self._ask(probes)
        except RejectedError:
            if self._asker.leave_out_refused():
                names = self._asker.phone_properties
                self._scope = replace(self._scope, phone_properties=names)
                self._ask_or_split(probes)
            elif len(probes) > 1:
                middle = len(probes) // 2
                self._ask_or_split(probes[:middle])
                self._ask_or_split(probes[middle:])
            elif self._has_answered:
                self._tick_off(probes)
            else:
                raise _TokensRefusedError from None

    def _ask(self, probes: Sequence[Probe]) -> None:
        """Read all hits of these probes; of too many together each for itself, up to a bound."""
        names = {*CALCULATED_BY_RAW, *self._scope.phone_properties}
        asked = [probe for probe in probes if probe.property in names]
        if asked and not self._read_pages(asked):
            for probe in asked:
                self._read_pages([probe])
        self._tick_off(probes)

    def _read_pages(self, probes: Sequence[Probe]) -> bool:
        """Read up to `MAX_PAGES`; False if several probes have more hits than these hold."""
        search, page = self._read_first(probes)
        if page.total > MAX_PAGES * search.limit and len(probes) > 1:
            return False
        for _ in range(MAX_PAGES - 1):
            self._collect_owners(page, probes)
            if page.next_after is None:
                return True
            search = replace(search, after=page.next_after)
            page = self._asker.ask(search)
        self._collect_owners(page, probes)
        return True

    def _read_first(self, probes: Sequence[Probe]) -> tuple[ContactSearch, ContactPage]:
        """Search with as few pieces as leave a page of hits: every piece trusts more in gaps."""
        while True:
            search = probe_search(probes, self._scope, pieces=self._pieces)
            page = self._asker.ask(search)
            self._has_answered = True
            if page.total <= search.limit or self._pieces >= MOST_PIECES:
                return search, page
            self._pieces += 1

    def _collect_owners(self, page: ContactPage, probes: Sequence[Probe]) -> None:
        wanted = {probe.number.e164 for probe in probes}
        for contact in page.contacts:
            sorted_as = contact.properties.get(sorted_by(self._scope)) or ""
            for e164 in wanted & numbers_of(contact, self._scope):
                self._owners[e164][contact.id] = sorted_as

    def _tick_off(self, probes: Sequence[Probe]) -> None:
        self.waiting.subtract(probe.number.e164 for probe in probes)
