"""Key rotation: re-encrypts every ciphertext with the first key while the service runs."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from shared.crypto import TokenCipher, UndecryptableError
from shared.database.engines import Database

# The rows of a page are locked together: few enough for a refresh not to notice.
PAGE: Final = 50
# A refresh holds its row while HubSpot is asked, which takes far less than all passes together.
MOST_PASSES: Final = 60
PASS_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class TokenTable:
    """A table with ciphertexts, bound to the row id that its column `bound_to` holds.

    Attributes:
        name: Of the table.
        bound_to: The column with the row's id.
        columns: Those with ciphertexts, by the names under which the rows are read: the same as
            the field that each is bound to. All are there, or none is.
        field: Of a table with one column, where the ciphertext is bound to another name.
    """

    name: str
    bound_to: str = "id"
    columns: tuple[str, ...] = ("access_token", "refresh_token")
    field: str | None = None

    def bound_field(self, column: str) -> str:
        """The field that a column's ciphertexts are bound to."""
        return self.field or column


TABLES: Final = (
    TokenTable("hubspot_oauth_tokens"),
    TokenTable("hubspot_pending_grants"),
    TokenTable("hubspot_revocations", bound_to="bound_to"),
    TokenTable("call_source_secrets", columns=("value",), field="secret"),
    TokenTable("call_source_unassigned", columns=("value",), field="call"),
)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A row by its table and id."""

    table: str
    id: str


@dataclass(slots=True)
class Rotation:
    """What became of the rows that had another key than the first.

    Attributes:
        rewritten: how many have the first key now.
        undecryptable: those that no key opens; they were left as they are.
        busy: those that somebody held all the time.
    """

    rewritten: int = 0
    undecryptable: list[TokenRow] = field(default_factory=list)
    busy: list[TokenRow] = field(default_factory=list)


def rotate_tokens(
    database: Database,
    cipher: TokenCipher,
    *,
    on_rewritten: Callable[[int], None] = lambda _: None,
    pause: Callable[[float], None] = time.sleep,
) -> Rotation:
    """Re-encrypt all tokens, secrets of sources and waiting calls; their age and version stay.

    May run beside the service, beside itself, and again. Every process must know the first key
    already, and use it first: one that does not goes on writing with another.

    Args:
        database: Where the tokens are.
        cipher: Every key that may have encrypted them, the new one first.
        on_rewritten: Told how many more rows are done.
        pause: Waits so many seconds for rows that somebody holds.
    """
    rotation = Rotation()
    for table in TABLES:
        for number in range(MOST_PASSES):
            if number:
                pause(PASS_EVERY_S)
            found = _pass_over(database, table, cipher, on_rewritten)
            rotation.rewritten += found.rewritten
            if not found.busy:
                break
        rotation.undecryptable += found.undecryptable
        rotation.busy += found.busy
    return rotation


def _pass_over(
    database: Database,
    table: TokenTable,
    cipher: TokenCipher,
    on_rewritten: Callable[[int], None],
) -> Rotation:
    found = Rotation()
    for ids in _find_stale(database, table, cipher):
        with database.begin() as session:
            locked = _lock(session, table, ids)
            rewritten = 0
            for row in locked:
                try:
                    rewritten += _rewrite(session, table, cipher, row)
                except UndecryptableError:
                    found.undecryptable.append(TokenRow(table.name, row.id))
        on_rewritten(rewritten)
        found.rewritten += rewritten
        free = {row.id for row in locked}
        found.busy += [TokenRow(table.name, id_) for id_ in ids if id_ not in free]
    return found


def _find_stale(database: Database, table: TokenTable, cipher: TokenCipher) -> Iterator[list[str]]:
    """Ids of rows with another key than the first, a page at a time; nothing is locked."""
    query = text(f"""
        SELECT id, {", ".join(table.columns)} FROM {table.name}
        WHERE id > :after AND {table.columns[-1]} IS NOT NULL
        ORDER BY id LIMIT {PAGE}
    """)  # noqa: S608 - the names are ours
    after = ""
    while True:
        with database.begin() as session:
            page = session.execute(query, {"after": after}).all()
        if not page:
            return
        after = page[-1].id
        if stale := [row.id for row in page if _is_stale(cipher, table, row)]:
            yield stale


def _lock(session: Session, table: TokenTable, ids: Sequence[str]) -> Sequence[Row[Any]]:
    # Read anew under the lock: a refresh may have stored another token since. SKIP: whoever holds
    # a row may wait for HubSpot; the row is met again in the next pass. A row that is gone, or
    # disconnected, needs nothing, but counts as busy until then.
    query = text(f"""
        SELECT id, {table.bound_to} AS row_id, {", ".join(table.columns)} FROM {table.name}
        WHERE id = ANY(:ids) AND {table.columns[-1]} IS NOT NULL
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    """)  # noqa: S608 - the names are ours
    return session.execute(query, {"ids": list(ids)}).all()


def _rewrite(session: Session, table: TokenTable, cipher: TokenCipher, row: Row[Any]) -> bool:
    """Re-encrypt a locked row; False if somebody else has meanwhile."""
    if not _is_stale(cipher, table, row):
        return False
    opened = {
        name: cipher.decrypt(getattr(row, name), row_id=row.row_id, field=table.bound_field(name))
        for name in table.columns
    }
    update = text(f"""
        UPDATE {table.name} SET {", ".join(f"{name} = :{name}" for name in table.columns)}
        WHERE id = :id
    """)  # noqa: S608 - the names are ours
    sealed = {
        name: cipher.encrypt(value, row_id=row.row_id, field=table.bound_field(name))
        for name, value in opened.items()
    }
    session.execute(update, {"id": row.id, **sealed})
    return True


def _is_stale(cipher: TokenCipher, table: TokenTable, row: Row[Any]) -> bool:
    return any(cipher.needs_rotation(getattr(row, name)) for name in table.columns)
