"""Asking HubSpot within a budget, and learning which properties an account does not have."""

from collections.abc import Callable
from typing import Protocol

from shared.hubspot.errors import RejectedError
from shared.hubspot.models import ContactFilter, ContactPage, ContactSearch
from shared.matching.scope import SearchScope

# Text that is no number: HubSpot may refuse it for properties that hold numbers in its own sense.
_ANY_TEXT = "+1 202"


class ContactSearcher(Protocol):
    """What matching needs of the HubSpot client."""

    def search_contacts(self, search: ContactSearch) -> ContactPage: ...


class BudgetSpentError(Exception):
    """The caller allows no further request."""


class Asker:
    """The requests of one look-up.

    Attributes:
        phone_properties: The scope's, without those that HubSpot turned out to refuse.
        requests: How many were sent.
    """

    def __init__(
        self, searcher: ContactSearcher, scope: SearchScope, may_search: Callable[[], bool]
    ) -> None:
        self.phone_properties = scope.phone_properties
        self.requests = 0
        self._scope = scope
        self._searcher = searcher
        self._may_search = may_search
        self._is_checked = False

    @property
    def refused_properties(self) -> tuple[str, ...]:
        """Those of the scope's phone properties that HubSpot refuses to search."""
        return tuple(
            name for name in self._scope.phone_properties if name not in self.phone_properties
        )

    def ask(self, search: ContactSearch) -> ContactPage:
        """Send a search if there is budget; raises BudgetSpentError, or HubSpot's error."""
        if not self._may_search():
            raise BudgetSpentError
        self.requests += 1
        return self._searcher.search_contacts(search)

    def leave_out_refused(self) -> bool:
        """After a refused search: whether phone properties were to blame; these are left out.

        HubSpot does not say which property it does not know, so each is asked for alone, once.
        """
        if self._is_checked or not self.phone_properties:
            return False
        self._is_checked = True
        if not self._answers("phone"):  # every account has it: the property is not what is refused
            return False
        self.phone_properties = tuple(filter(self._answers, self.phone_properties))
        return bool(self.refused_properties)

    def _answers(self, name: str) -> bool:
        probe = ContactSearch(
            filters=(ContactFilter(name, (_ANY_TEXT,)),),
            properties=(name,),
            sort_by="createdate",
            descending=False,
            limit=1,
        )
        try:
            self.ask(probe)
        except RejectedError:
            return False
        return True
