"""Forgetting a person: every call of a phone number loses what says whose it was.

The sync log's row stays as evidence: ids, times and outcome. Notes in HubSpot belong to the
customer; they are named, so that they can be deleted there.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Result, Row, TextClause, text
from sqlalchemy.orm import Session

from shared.phone import NO_REGION, find_numbers, parse_phone

# Calls are looked through in pages, none of which comes near the statement timeout.
PAGE: Final = 5_000
ERASED_MESSAGE: Final = "The caller asked to be forgotten: the call's content was erased."


@dataclass(frozen=True, slots=True)
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

    def has_number(self, raw: str | None, region: str) -> bool:
        """Whether a stored number, in whatever spelling, is this person's."""
        if not raw:
            return False
        if raw in {self.spelling, self.e164}:
            return True
        # Whoever spells a number, its last digits are in it: this spares parsing all others.
        if self.e164 is None or (raw.isascii() and not _may_be(raw, self.e164)):
            return False
        return any(number.e164 == self.e164 for number in find_numbers(raw, region))

    @property
    def spellings(self) -> list[str]:
        """How the number stands in the log: as it was given, in full, before a renumbering."""
        if self.e164 is None:
            return [self.spelling]
        number = parse_phone(self.e164, NO_REGION)
        return [self.spelling, number.e164, *number.earlier_e164s]


def _may_be(raw: str, e164: str) -> bool:
    digits = "".join(filter(str.isdigit, raw))
    return e164[-6:] in digits or any(map(str.isalpha, raw))


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
    SELECT l.id, coalesce(c.default_region, :region) AS region, ARRAY[l.phone_number] AS numbers,
           {_TENANT.format("l")} AS is_meant
    FROM (SELECT * FROM hubspot_sync_logs
          WHERE phone_number NOT LIKE '+%' AND id > :after ORDER BY id LIMIT :page) AS l
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    ORDER BY l.id
""")  # noqa: S608 - our own text

_PAGE_OF_CONTENTS = text(f"""
    SELECT l.id, coalesce(c.default_region, :region) AS region,
           ARRAY[said.phone_number, said.from_number, said.to_number] AS numbers,
           {_TENANT.format("l")} AS is_meant
    FROM (SELECT * FROM calls WHERE log_id > :after ORDER BY log_id LIMIT :page) AS content
    CROSS JOIN LATERAL jsonb_to_record(content.payload)
                   AS said (phone_number text, from_number text, to_number text)
    JOIN hubspot_sync_logs l ON l.id = content.log_id
    LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    ORDER BY l.id
""")  # noqa: S608 - our own text


def find_calls(session: Session, person: Person, *, region: str) -> set[str]:
    """Find a person's calls; returns log ids.

    Numbers in E.164 are found through their index, whatever the length of the log. Numbers in
    other spellings, and the ends of every call whose content is kept, are read one by one: about
    50,000 calls a second.

    Args:
        session: A transaction; nothing is changed in it.
        person: Whose calls.
        region: The region of numbers without a country code where the connection names none.
    """
    tenant = {"user_id": person.user_id, "workspace_id": person.workspace_id}
    stored = {**tenant, "spellings": person.spellings}
    found = set(session.execute(_FIND_STORED, stored).scalars())
    for query in (_PAGE_OF_RAW_NUMBERS, _PAGE_OF_CONTENTS):
        for row in _read_pages(session, query, {**tenant, "region": region}):
            if row.is_meant and any(person.has_number(each, row.region) for each in row.numbers):
                found.add(row.id)
    return found


def _read_pages(
    session: Session, query: TextClause, parameters: dict[str, str | None]
) -> Iterator[Row[Any]]:
    after = ""
    while True:
        rows = session.execute(query, {**parameters, "after": after, "page": PAGE}).all()
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


@dataclass(frozen=True, slots=True)
class NoteLeft:
    """A note in HubSpot, or a contact on which one may be: `note_id` is None while in doubt.

    `ui_domain` is the host of the account's pages, None where it is not known.
    """

    log_id: str
    hub_id: int
    contact_id: str
    note_id: str | None
    ui_domain: str | None


@dataclass(slots=True)
class Erasure:
    """What was removed, and what is left to the customer.

    Attributes:
        calls: Calls that lost their number.
        contents: Those whose content was still kept: numbers, summary, transcript, recording.
        messages: Attempts whose message was removed.
        stopped: Calls that still waited for their note and will not get one.
        notes: What is in HubSpot, or may be.
    """

    calls: int = 0
    contents: int = 0
    messages: int = 0
    stopped: int = 0
    notes: list[NoteLeft] = field(default_factory=list)

    def add(self, other: "Erasure") -> None:
        """Count what another batch removed."""
        self.calls += other.calls
        self.contents += other.contents
        self.messages += other.messages
        self.stopped += other.stopped
        self.notes += other.notes


_LOCK = text("""
    SELECT id, next_attempt_at IS NOT NULL AS is_waiting
    FROM hubspot_sync_logs WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE
""")

# A new fence takes the call from the worker that holds it: no mark of it is granted any more. A
# write under way keeps its mark; should its answer still come, the note is recorded as ever. What a
# reconnect would requeue is ended too, because there is nothing left to write.
_ERASE = text("""
    UPDATE hubspot_sync_logs
    SET phone_number = NULL, next_attempt_at = NULL, fence = fence + 1,
        claimed_by = NULL, claimed_until = NULL, claim_size = NULL,
        suspect_size = NULL, solo_crashes = 0, raw_lookup = false, updated_at = now(),
        status = CASE WHEN status = 'pending' OR error_code = 'not_connected' THEN 'error'
                      ELSE status END,
        error_code = CASE WHEN status = 'pending'
                               OR error_code IN ('not_connected', 'reconnect_required',
                                                 'missing_scopes')
                          THEN 'payload_expired' ELSE error_code END,
        error_message = CASE WHEN status <> 'success' THEN :message END
    WHERE id = ANY(:ids)
""")
_ERASE_CONTENTS = text("DELETE FROM calls WHERE log_id = ANY(:ids)")
_ERASE_MESSAGES = text("""
    UPDATE hubspot_sync_attempts SET message = NULL
    WHERE log_id = ANY(:ids) AND message IS NOT NULL
""")
_NOTES_LEFT = text("""
    SELECT l.id AS log_id, l.hub_id, l.contact_id, l.engagement_id AS note_id,
           CASE WHEN c.hub_id = l.hub_id THEN c.ui_domain END AS ui_domain
    FROM hubspot_sync_logs l LEFT JOIN hubspot_oauth_tokens c USING (user_id, workspace_id)
    WHERE l.id = ANY(:ids) AND (l.engagement_id IS NOT NULL OR l.last_write_at IS NOT NULL)
    ORDER BY l.id
""")


def erase_calls(session: Session, ids: Collection[str]) -> Erasure:
    """Remove what says whose these calls were, and end the work that was left to do on them.

    Takes calls from workers that hold them; what such a worker learns afterwards is dropped, but
    for the id of a note that it has written.
    """
    wanted = {"ids": list(ids)}
    waiting = [row.is_waiting for row in session.execute(_LOCK, wanted)]
    notes = [NoteLeft(**row) for row in session.execute(_NOTES_LEFT, wanted).mappings()]
    session.execute(_ERASE, {**wanted, "message": ERASED_MESSAGE})
    return Erasure(
        calls=len(waiting),
        contents=_count(session.execute(_ERASE_CONTENTS, wanted)),
        messages=_count(session.execute(_ERASE_MESSAGES, wanted)),
        stopped=sum(waiting),
        notes=notes,
    )


def _count(result: Result[Any]) -> int:
    return result.rowcount  # type: ignore[attr-defined,no-any-return]
