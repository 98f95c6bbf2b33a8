"""As much of Postgres's wire protocol as it takes to know which transaction is being committed.

Messages after the first are a type byte and a length that counts itself (the protocol's chapter on
message formats). Prepared statements are sent as text once and by name from then on.
"""

import struct
import weakref
from typing import Final

from faults.proxies.proxy import Link

# Ready for the next query, outside any transaction: a commit has been carried out.
COMMITTED: Final = b"Z\x00\x00\x00\x05I"
_LENGTH_BYTES: Final = 4


class Conversation:
    """What one client has said: its prepared statements, and the transaction it is in.

    `commits` is true while the piece that was heard last asks for a commit, be it by a statement
    outside a transaction, which commits itself.
    """

    def __init__(self) -> None:
        self.commits = False
        self._heard = b""
        self._is_started = False
        self._is_in_transaction = False
        self._prepared: dict[bytes, bytes] = {}
        self._transaction: list[bytes] = []

    def has_run(self, sql: str) -> bool:
        """Whether a statement of this transaction contains the text."""
        return any(sql.encode() in statement for statement in self._transaction)

    def hear(self, data: bytes) -> None:
        """Take in what the client sends."""
        if self.commits:
            self.commits = False
            self._transaction.clear()
        self._heard += data
        while message := self._next_message():
            self._understand(*message)

    def _next_message(self) -> tuple[bytes, bytes] | None:
        start = 1 if self._is_started else 0  # the first message has no type
        if len(self._heard) < start + _LENGTH_BYTES:
            return None
        (length,) = struct.unpack_from("!i", self._heard, start)
        if len(self._heard) < start + length:
            return None
        kind = self._heard[:start]
        content = self._heard[start + _LENGTH_BYTES : start + length]
        self._heard = self._heard[start + length :]
        self._is_started = True
        return kind, content

    def _understand(self, kind: bytes, content: bytes) -> None:
        match kind:
            case b"P":
                name, sql, _ = content.split(b"\0", 2)
                self._prepared[name] = sql
            case b"B":
                _, name, _ = content.split(b"\0", 2)
                self._run(self._prepared.get(name, b""))
            case b"Q":
                self._run(content.rstrip(b"\0"))

    def _run(self, sql: bytes) -> None:
        match sql.upper():
            case b"BEGIN":
                self._is_in_transaction = True
            case b"ROLLBACK":
                self._transaction.clear()
                self._is_in_transaction = False
            case b"COMMIT":
                self.commits = True
                self._is_in_transaction = False
            case _:
                self._transaction.append(sql)
                self.commits = not self._is_in_transaction


class Conversations:
    """Listens to every client of a Postgres proxy from its first message on: a trap of no harm."""

    def __init__(self) -> None:
        self._by_link: weakref.WeakKeyDictionary[Link, Conversation] = weakref.WeakKeyDictionary()

    def of(self, link: Link) -> Conversation:
        """What the client of this connection has said."""
        return self._by_link.setdefault(link, Conversation())

    def sees_request(self, link: Link, data: bytes) -> bool:
        self.of(link).hear(data)
        return True

    def sees_answer(self, _link: Link, _data: bytes) -> bool:
        return True
