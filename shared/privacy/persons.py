"""A person's calls: whose number stands in the log, in a call's fields, or in what was said."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import phonenumbers
from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from shared.crypto import TokenCipher
from shared.phone import NO_REGION, find_numbers
from shared.phone.mentions import Mention, Sought
from shared.sources.unassigned import iterate_unassigned

# Calls are looked through in pages, none of which comes near the statement timeout.
PAGE: Final = 5_000
# Of contents as text in one answer, beside a single larger one.
PAGE_BYTES: Final = 8 * 1024 * 1024
NUMBER_FIELDS: Final = ("phone_number", "from_number", "to_number")


@dataclass(frozen=True)
class Person:
    """Whose calls are meant.

    Attributes:
        spelling: The number as it was given.
        e164: The same in full; None when it is no full phone number: only calls that were stored
            with this very spelling are found then.
        user_id: Only calls of this user; None for all.
        workspace_id: Only calls of this workspace; None for all.
    """

    spelling: str
    e164: str | None
    user_id: str | None = None
    workspace_id: str | None = None

    @cached_property
    def _sought(self) -> Sought | None:
        return None if self.e164 is None else Sought(self.e164)

    @cached_property
    def _own_region(self) -> str:
        """Where the number is from: people say numbers as they are dialled at home."""
        number = phonenumbers.parse(self.e164 or "", NO_REGION)
        return phonenumbers.region_code_for_number(number) or NO_REGION

    @property
    def spellings(self) -> list[str]:
        """How the number stands in the log: as it was given, in full, before a renumbering."""
        if self._sought is None:
            return [self.spelling]
        number = self._sought.number
        return [self.spelling, number.e164, *number.earlier_e164s]

    @property
    def national_digits(self) -> list[str]:
        """The number's digits without a country code, in each form; none if it is no full one."""
        return list(self._sought.number.national_digits) if self._sought else []

    def look_in_field(self, raw: str | None, region: str) -> Mention:
        """Whether a stored field, in whatever spelling and company, holds this person's number."""
        if not raw:
            return Mention.NONE
        if raw in {self.spelling, self.e164}:
            return Mention.CERTAIN
        if self._sought is None:
            return Mention.NONE
        # Letters may stand for digits, as in 1-800-FLOWERS.
        is_plain = raw.isascii() and not any(map(str.isalpha, raw))
        if (not is_plain or self._sought.may_be_in(raw)) and any(
            number == self._sought.number for number in find_numbers(raw, region)
        ):
            return Mention.CERTAIN
        return self._sought.find(raw, region)

    def is_said_in(self, words: str, region: str) -> bool:
        """Whether a text holds what may be this person's number."""
        if self._sought is None:
            return self.spelling.casefold() in words.casefold()
        return any(self._sought.find(words, each) for each in (region, self._own_region))

    def may_be_in(self, document: str) -> bool:
        """Whether it is worth while to look into a content, as JSON."""
        if self._sought is None:
            return True
        return self._sought.may_be_in(document)


@dataclass
class Findings:
    """A person's calls by log id.

    Attributes:
        certain: Calls from or to the number.
        near: Calls that may be meant, with what speaks for it: for a person to decide.
    """

    certain: set[str] = field(default_factory=set)
    near: dict[str, str] = field(default_factory=dict)


_TENANT = """
    (CAST(:user_id AS text) IS NULL OR {0}.user_id = :user_id)
    AND (CAST(:workspace_id AS text) IS NULL OR {0}.workspace_id = :workspace_id)
"""

# Hops from tenant to tenant, as the index on phone numbers begins with them.
_FIND_STORED = text(f"""
    WITH RECURSIVE tenant AS (
        (SELECT user_id, workspace_id FROM hubspot_sync_logs
         ORDER BY user_id, workspace_id LIMIT 1)
        UNION ALL
        SELECT hop.* FROM tenant CROSS JOIN LATERAL (
            SELECT l.user_id, l.workspace_id FROM hubspot_sync_logs l
            WHERE (l.user_id, l.workspace_id) > (tenant.user_id, tenant.workspace_id)
            ORDER BY l.user_id, l.workspace_id LIMIT 1) AS hop
    )
    SELECT l.id FROM tenant JOIN hubspot_sync_logs l USING (user_id, workspace_id)
    WHERE l.phone_number = ANY(:spellings) AND {_TENANT.format("tenant")}
""")  # noqa: S608 - our own text

_PAGE_OF_RAW_NUMBERS = text(f"""
    SELECT l.id, coalesce(c.default_region, :region) AS region, l.phone_number,
           {_TENANT.format("l")} AS is_meant
    FROM (SELECT * FROM hubspot_sync_logs
          WHERE phone_number NOT LIKE '+%' AND id > :after ORDER BY id LIMIT :page) AS l
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    ORDER BY l.id
""")  # noqa: S608 - our own text

# What begins with a plus sign and is not the number itself: no index helps, so all are gone
# through. Meant are those that hold the number's digits, or digits of other scripts.
_PAGE_OF_PLUS_NUMBERS = text(f"""
    SELECT l.id, coalesce(c.default_region, :region) AS region, l.phone_number,
           {_TENANT.format("l")}
           AND l.phone_number LIKE '+%' AND (
               l.phone_number !~ '^[ -~]*$'
               OR regexp_replace(l.phone_number, '[^0-9]', '', 'g') LIKE ANY(:digits)
           ) AS is_meant
    FROM (SELECT * FROM hubspot_sync_logs WHERE id > :after ORDER BY id LIMIT :page) AS l
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    ORDER BY l.id
""")  # noqa: S608 - our own text

_PAGE_OF_CONTENTS = text(f"""
    SELECT l.id, coalesce(c.default_region, :region) AS region, content.bytes,
           {_TENANT.format("l")} AS is_meant
    FROM (SELECT log_id,
                 coalesce(payload_bytes, pg_column_size(payload) * 100) AS bytes
          FROM calls WHERE log_id > :after ORDER BY log_id LIMIT :page) AS content
    JOIN hubspot_sync_logs l ON l.id = content.log_id
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    ORDER BY l.id
""")  # noqa: S608 - our own text
# With what later deliveries said and nobody has merged yet.
_READ_CONTENTS = text("""
    SELECT log_id, payload::text AS document FROM calls WHERE log_id = ANY(:ids)
    UNION ALL
    SELECT log_id, facts::text FROM call_deliveries WHERE log_id = ANY(:ids) AND facts IS NOT NULL
""")


def find_calls(session: Session, person: Person, *, region: str) -> Findings:
    """Find a person's calls.

    Numbers in E.164 are found through their index, whatever the length of the log. All other
    numbers of the log, and every content that is kept, are read one by one.

    Args:
        session: A transaction; nothing is changed in it.
        person: Whose calls.
        region: The region of numbers without a country code where the connection names none.
    """
    tenant = {"user_id": person.user_id, "workspace_id": person.workspace_id}
    stored = {**tenant, "spellings": person.spellings}
    found = Findings(certain=set(session.execute(_FIND_STORED, stored).scalars()))
    wanted: dict[str, object] = {**tenant, "region": region}
    for row in _read_pages(session, _PAGE_OF_RAW_NUMBERS, wanted):
        _note(found, row.id, person.look_in_field(row.phone_number, row.region))
    if person.national_digits:
        digits = [f"%{each}%" for each in person.national_digits]
        for row in _read_pages(session, _PAGE_OF_PLUS_NUMBERS, {**wanted, "digits": digits}):
            _note(found, row.id, person.look_in_field(row.phone_number, row.region))
    for log_id, own_region, document in _read_contents(session, wanted):
        _look_into(found, person, log_id, own_region, document)
    for log_id in found.certain:
        found.near.pop(log_id, None)
    return found


def find_unassigned(
    session: Session, cipher: TokenCipher, person: Person, *, region: str
) -> Findings:
    """The same among deliveries of which nobody knows yet whose they are, by their own ids.

    They are no tenant's: of a person who is sought with one tenant only there are none.
    """
    found = Findings()
    if person.user_id is not None or person.workspace_id is not None:
        return found
    for row_id, payload in iterate_unassigned(session, cipher):
        _look_into(found, person, row_id, region, json.dumps(payload))
    for row_id in found.certain:
        found.near.pop(row_id, None)
    return found


def _note(found: Findings, log_id: str, mention: Mention, where: str = "phone_number") -> None:
    if mention is Mention.CERTAIN:
        found.certain.add(log_id)
    elif mention is Mention.POSSIBLE:
        found.near.setdefault(log_id, f"{where} may be it")


def _look_into(found: Findings, person: Person, log_id: str, region: str, document: str) -> None:
    """Judge one content: its numbers first, then the words."""
    # Numbers stay as they are written: they may have thousands of digits.
    content: dict[str, Any] = json.loads(document, parse_int=str, parse_float=str)
    for name in NUMBER_FIELDS:
        raw = content.pop(name, None)
        _note(found, log_id, person.look_in_field(_as_text(raw), region), name)
    if log_id in found.certain or log_id in found.near or not person.may_be_in(document):
        return
    for name, value in content.items():
        if any(person.is_said_in(each, region) for each in _list_texts(value)):
            found.near[log_id] = f"{name} mentions it"
            return


def _as_text(raw: object) -> str | None:
    return None if raw is None else raw if isinstance(raw, str) else json.dumps(raw)


def _list_texts(value: Any) -> Iterator[str]:
    """Every text within a JSON value, names of fields included."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _read_pages(
    session: Session, query: TextClause, parameters: dict[str, object]
) -> Iterator[Row[Any]]:
    """Each row that is meant."""
    after = ""
    while True:
        rows = session.execute(query, {**parameters, "after": after, "page": PAGE}).all()
        yield from (row for row in rows if row.is_meant)
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def _read_contents(
    session: Session, parameters: dict[str, object]
) -> Iterator[tuple[str, str, str]]:
    """Log id, region and content as JSON, never many megabytes of them at once."""
    batch: dict[str, str] = {}
    size = 0
    for row in _read_pages(session, _PAGE_OF_CONTENTS, parameters):
        if batch and size + row.bytes > PAGE_BYTES:
            yield from _load(session, batch)
            batch, size = {}, 0
        batch[row.id] = row.region
        size += row.bytes
    if batch:
        yield from _load(session, batch)


def _load(session: Session, regions: dict[str, str]) -> list[tuple[str, str, str]]:
    rows = session.execute(_READ_CONTENTS, {"ids": list(regions)})
    return [(row.log_id, regions[row.log_id], row.document) for row in rows]
