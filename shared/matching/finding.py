"""Finding the contact that has a phone number: ask HubSpot, check every hit, decide.

Knows HubSpot only as something that searches contacts; no database and no queue.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from shared.hubspot.errors import RejectedError
from shared.hubspot.models import ContactPage, ContactSearch
from shared.matching.asking import Asker, BudgetSpentError, ContactSearcher
from shared.matching.hits import Decision, Refused, Undecided, decide, numbers_of
from shared.matching.scope import SearchScope, Stage
from shared.matching.search_plan import PackedSearch, pack_calculated, pack_raw
from shared.matching.thorough import look_thoroughly
from shared.phone import PhoneNumber

REQUESTS_A_SET = 3
CROWD = 20  # a number with more hits than this takes the room of others: it is searched alone
ROOMY_HITS = 150  # of the 200 on a page: what a set is cut down to when nothing leaves it
MAX_PAGES = 50  # of 200 contacts: HubSpot shows the first 10,000 hits of a search and no more


@dataclass(frozen=True, slots=True)
class Findings:
    """A decision for each number, by E.164, and what was learnt on the way.

    `calculated_unsupported`: this account refuses searches on calculated properties but answers
    those on raw ones; its scope is raw from now on. `refused_properties`: it refuses searches on
    these of the scope's phone properties, and they were left out.
    """

    decisions: dict[str, Decision]
    requests: int
    calculated_unsupported: bool
    refused_properties: tuple[str, ...]


def find_contacts(
    searcher: ContactSearcher,
    numbers: Iterable[PhoneNumber],
    *,
    scope: SearchScope,
    stage: Stage,
    may_search: Callable[[], bool],
) -> Findings:
    """Look up `numbers` in HubSpot in the way of one stage.

    `may_search` is asked before each request; once it says no, the numbers not yet decided stay
    Undecided. Calculated properties that are refused are left out for raw ones at once.
    Raises every HubSpotError but RejectedError: a refused search is asked differently.
    """
    wanted = {number.e164: number for number in numbers}
    asker = Asker(searcher, scope, may_search)
    lookup = _Lookup(asker, scope, stage)
    if stage is Stage.THOROUGH:
        decisions = look_thoroughly(asker, tuple(wanted.values()), scope)
    else:
        with contextlib.suppress(BudgetSpentError):
            lookup.search(tuple(wanted.values()))
        decisions = lookup.decisions
    return Findings(
        {e164: decisions.get(e164, Undecided()) for e164 in wanted},
        asker.requests,
        lookup.calculated_unsupported,
        asker.refused_properties,
    )


class _Lookup:
    """The state of one `find_contacts` in calculated or raw properties."""

    def __init__(self, asker: Asker, scope: SearchScope, stage: Stage) -> None:
        self._asker = asker
        self._scope = scope
        self._stage = stage
        self._calculated_refused = False
        self._raw_refused = False
        self._raw_answered = False
        self.decisions: dict[str, Decision] = {}

    @property
    def calculated_unsupported(self) -> bool:
        # If raw searches are refused as well, the calculated properties are not to blame.
        return self._calculated_refused and self._raw_answered and not self._raw_refused

    def search(self, numbers: tuple[PhoneNumber, ...]) -> None:
        """Decide the numbers, in as few sets as they fit into."""
        while numbers:
            packed = self._pack(numbers)
            self._search_or_split(packed.taken)
            numbers = packed.left

    def _search_or_split(self, numbers: tuple[PhoneNumber, ...]) -> None:
        try:
            self._search_set(numbers)
        except RejectedError as error:
            open_numbers = tuple(n for n in numbers if n.e164 not in self.decisions)
            if self._stage is Stage.CALCULATED:
                self._calculated_refused, self._stage = True, Stage.RAW
                self._scope = replace(self._scope, is_raw=True)
                self.search(open_numbers)
                return
            if self._asker.leave_out_refused():
                names = self._asker.phone_properties
                self._scope = replace(self._scope, phone_properties=names)
                self.search(open_numbers)
                return
            self._raw_refused = True
            if len(open_numbers) == 1:
                self.decisions[open_numbers[0].e164] = Refused(error)
                return
            middle = len(open_numbers) // 2
            self._search_or_split(open_numbers[:middle])
            self._search_or_split(open_numbers[middle:])

    def _search_set(self, numbers: tuple[PhoneNumber, ...]) -> None:
        """Search one body's numbers together, without those that crowd out the others."""
        waiting, crowded = numbers, numbers[:0]
        decided_before = len(self.decisions)
        for _ in range(REQUESTS_A_SET):
            if len(waiting) <= 1:
                break
            page = self._ask(self._pack(waiting).search)
            hits = [(contact.id, numbers_of(contact, self._scope)) for contact in page.contacts]
            if page.next_after is None:
                for number in waiting:
                    self._decide(number, [id_ for id_, has in hits if number.e164 in has])
                waiting = ()
                break
            waiting, more = self._thin_out(waiting, hits, page.total)
            crowded += more
        if len(waiting) == 1 or (not crowded and len(self.decisions) == decided_before):
            crowded += waiting[:1]  # every set decides something: the next one is smaller
        for number in crowded:
            self._search_alone(number)

    def _thin_out(
        self, waiting: tuple[PhoneNumber, ...], hits: list[tuple[str, frozenset[str]]], total: int
    ) -> tuple[tuple[PhoneNumber, ...], tuple[PhoneNumber, ...]]:
        """Decide what the first 200 hits can; return which numbers to search on together, alone."""
        together, alone = [], []
        for number in waiting:
            owners = [id_ for id_, has in hits if number.e164 in has]
            if self._is_settled(owners):
                self._decide(number, owners)
            elif sum(_has_digits(has, number) for _, has in hits) > CROWD:
                alone.append(number)
            else:
                together.append(number)
        if len(together) == len(waiting):
            # The same search would give the same page: the numbers that do not fit are put off.
            together = together[: max(1, len(together) * ROOMY_HITS // max(total, len(hits)))]
        return tuple(together), tuple(alone)

    def _search_alone(self, number: PhoneNumber) -> None:
        """Read every hit of one number, page by page."""
        search = self._pack((number,)).search
        owners: list[str] = []
        for _ in range(MAX_PAGES):
            page = self._ask(search)
            has_number = (c.id for c in page.contacts if number.e164 in numbers_of(c, self._scope))
            # A contact that changes meanwhile may come on two pages.
            owners = list(dict.fromkeys([*owners, *has_number]))
            if page.next_after is None or self._is_settled(owners):
                break
            search = replace(search, after=page.next_after)
        self._decide(number, owners)

    def _is_settled(self, owners: list[str]) -> bool:
        """Whether further hits, which come later in the policy's order, change nothing."""
        return len(owners) > (1 if self._scope.policy == "skip" else 0)

    def _decide(self, number: PhoneNumber, owners: list[str]) -> None:
        self.decisions[number.e164] = decide(owners, self._scope.policy, self._stage)

    def _pack(self, numbers: tuple[PhoneNumber, ...]) -> PackedSearch:
        pack = pack_calculated if self._stage is Stage.CALCULATED else pack_raw
        return pack(numbers, self._scope)

    def _ask(self, search: ContactSearch) -> ContactPage:
        page = self._asker.ask(search)
        self._raw_answered |= self._stage is Stage.RAW
        return page


def _has_digits(numbers: frozenset[str], number: PhoneNumber) -> bool:
    return any(each.endswith(number.national_digits) for each in numbers)
