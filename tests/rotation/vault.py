"""Tokens at rest in every table that keeps them, written and read as the service does."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from sqlalchemy import select, update

from shared.connections import lifecycle as connections
from shared.connections.lifecycle import Grant
from shared.connections.oauth_states import Authorization
from shared.connections.pending_grants import store_pending_grant
from shared.crypto import TokenCipher, UndecryptableError
from shared.database.engines import Database
from shared.hubspot.models import TokenGrant
from shared.models import Connection, PendingGrant, Revocation
from tests.emptying import empty

OLD_KEY: Final = b"o" * 32
NEW_KEY: Final = b"n" * 32
OLD_FIRST: Final = TokenCipher([OLD_KEY, NEW_KEY])
NEW_FIRST: Final = TokenCipher([NEW_KEY, OLD_KEY])


@dataclass(frozen=True)
class Vault:
    """A database whose tokens are named, so that each can be told from the others."""

    database: Database

    def clear(self) -> None:
        empty(self.database)

    def connect(self, name: str, cipher: TokenCipher) -> str:
        with self.database.begin() as session:
            return connections.connect(
                session,
                user_id=name,
                workspace_id="ws_1",
                grant=grant(name),
                encrypt=lambda plaintext, row_id, field: cipher.encrypt(
                    plaintext, row_id=row_id, field=field
                ),
            )

    def disconnect(self, name: str) -> None:
        """Leaves its tokens on the revocation list."""
        with self.database.begin() as session:
            connections.disconnect(session, user_id=name, workspace_id="ws_1")

    def await_confirmation(self, name: str, cipher: TokenCipher) -> None:
        authorization = Authorization(name, "ws_1", "verifier", None, "https://app.example.com/")
        with self.database.begin() as session:
            store_pending_grant(
                session,
                authorization,
                TokenGrant(grant(name).access_token, None, 1800, None, grant(name).scopes),
                grant(name).refresh_token,
                lambda plaintext, row_id, field: cipher.encrypt(
                    plaintext, row_id=row_id, field=field
                ),
            )

    def swap_access_tokens(self, one: str, other: str) -> None:
        """Move each connection's ciphertext into the other's row."""
        with self.database.begin() as session:
            first, second = (session.get_one(Connection, id_) for id_ in (one, other))
            for row, stolen in ((one, second.access_token), (other, first.access_token)):
                session.execute(
                    update(Connection).where(Connection.id == row).values(access_token=stolen)
                )

    def read(self, key: bytes) -> set[str]:
        """Every token that this key alone opens."""
        cipher = TokenCipher([key])
        opened = set()
        with self.database.begin() as session:
            rows = [
                *((row, row.id) for row in session.scalars(select(Connection))),
                *((row, row.id) for row in session.scalars(select(PendingGrant))),
                *((row, row.bound_to) for row in session.scalars(select(Revocation))),
            ]
        for row, row_id in rows:
            for field in ("access_token", "refresh_token"):
                ciphertext = getattr(row, field)
                if ciphertext is not None:
                    opened |= _open(cipher, ciphertext, row_id, field)
        return opened


def grant(name: str) -> Grant:
    hub_id = uuid4().int % 10**12
    return Grant(f"access {name}", f"refresh {name}", 1800, hub_id, None, ("oauth",))


def tokens(*names: str) -> set[str]:
    """The tokens of these grants."""
    return {f"{kind} {name}" for name in names for kind in ("access", "refresh")}


def _open(cipher: TokenCipher, ciphertext: str, row_id: str, field: str) -> set[str]:
    try:
        return {cipher.decrypt(ciphertext, row_id=row_id, field=field)}
    except UndecryptableError:
        return set()
