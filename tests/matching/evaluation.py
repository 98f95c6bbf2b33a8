"""Precision and recall of a way of matching on the corpus."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.matching.finding import find_contacts
from shared.matching.hits import Decision, Match, NoMatch
from shared.matching.scope import SearchScope, Stage
from shared.phone import PhoneError, PhoneNumber, parse_phone
from tests.matching.corpus import FURTHER, CorpusAccount, Row, StoredContact
from tests.matching.hubspot_accounts import AccountFactory, ConnectedAccount

Found = dict[Row, StoredContact | None]


@dataclass(frozen=True, slots=True)
class Score:
    """How many callers have a contact, got one, and got the right one."""

    expected: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.expected if self.expected else 1.0


def score(found: Found) -> Score:
    return Score(
        expected=sum(row.has_contact for row in found),
        found=sum(contact is not None for contact in found.values()),
        right=sum(_is_right(row, contact) for row, contact in found.items() if contact),
    )


def mistakes(found: Found) -> list[Row]:
    """Return the rows whose contact was missed or mistaken, in the table's order."""
    wrong = [
        row
        for row, contact in found.items()
        if (not _is_right(row, contact) if contact else row.has_contact)
    ]
    return sorted(wrong, key=lambda row: row.line)


def match_everything(
    corpus: Sequence[CorpusAccount], match: Callable[[CorpusAccount], Found]
) -> Found:
    return {row: contact for account in corpus for row, contact in match(account).items()}


def match_by_search(
    accounts: AccountFactory, account: CorpusAccount, *, lacks_calculated: bool = False
) -> Found:
    """Match as the service does: each stage looks up what the one before did not find."""
    hub = accounts.open(account.country, lacks_calculated=lacks_calculated)
    ids = hub.add_contacts([contact.properties for contact in account.contacts])
    contacts = dict(zip(ids, account.contacts, strict=True))
    numbers = {row: number for row in account.rows if (number := _number(row))}
    decisions = _look_up(
        hub, SearchScope(account.region, "most_recent", FURTHER), list(numbers.values())
    )
    found: Found = dict.fromkeys(account.rows)
    for row, number in numbers.items():
        decision = decisions[number.e164]
        if isinstance(decision, Match):
            found[row] = contacts[decision.contact_id]
    return found


def match_by_last_ten_digits(account: CorpusAccount) -> Found:
    """Take the oldest contact with the caller's last ten digits, however HubSpot stores them."""
    return {row: _first_with_digits(account.contacts, row.caller) for row in account.rows}


def _look_up(
    hub: ConnectedAccount, scope: SearchScope, numbers: list[PhoneNumber]
) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {}
    for stage in Stage:
        waiting = [each for each in numbers if _is_open(decisions.get(each.e164))]
        findings = find_contacts(
            hub.client, waiting, scope=scope, stage=stage, may_search=lambda: True
        )
        decisions |= findings.decisions
    return decisions


def _is_open(decision: Decision | None) -> bool:
    return decision is None or isinstance(decision, NoMatch)


def _number(row: Row) -> PhoneNumber | None:
    try:
        return parse_phone(row.caller, row.region)
    except PhoneError:
        return None


def _is_right(row: Row, contact: StoredContact) -> bool:
    return contact.owner == row


def _first_with_digits(contacts: Sequence[StoredContact], caller: str) -> StoredContact | None:
    wanted = _last_ten_digits(caller)
    if not wanted:
        return None
    for contact in contacts:
        if wanted in {_last_ten_digits(contact.phone), _last_ten_digits(contact.mobile)}:
            return contact
    return None


def _last_ten_digits(text: str) -> str:
    return re.sub(r"\D", "", text)[-10:]
