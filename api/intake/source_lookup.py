"""Sources by the id in their address, ready to check and to read deliveries."""

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from api.http.errors import UnavailableError
from shared.crypto import TokenCipher, UndecryptableError
from shared.database.engines import Database
from shared.sources.options import GeneralOptions, SourceOptions
from shared.sources.storing import FORWARDED, LoadedSource, load_source, read_version
from sources.adapter import Adapter, Options, Secret
from sources.registry import ADAPTERS

log = structlog.get_logger(__name__)

MOST_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source with what checks and reads its deliveries.

    Attributes:
        stored: As it is stored.
        adapter: The vendor's.
        general: Options that every source has.
        options: Those of the vendor.
        secrets: Of the vendor's schemes.
        forwarding: Of deliveries that somebody forwards.
    """

    stored: LoadedSource
    adapter: Adapter
    general: GeneralOptions
    options: Options
    secrets: tuple[Secret, ...] = field(repr=False)
    forwarding: tuple[Secret, ...] = field(repr=False)


class SourceLookup:
    """Finds sources. What was found is kept, and asked by its version whether it is still so."""

    def __init__(self, database: Database, cipher: TokenCipher) -> None:
        self._database = database
        self._cipher = cipher
        self._lock = Lock()
        self._known: OrderedDict[str, OpenSource] = OrderedDict()

    def find(self, source_id: str) -> OpenSource | None:
        """The source with an id, as it is now; None if there is none.

        Raises:
            UnavailableError: A secret cannot be decrypted with any key.
        """
        known = self._known.get(source_id)
        with self._database.autocommit.connect() as connection:
            if known is not None:
                version = read_version(connection, source_id)
                if version == known.stored.version:
                    return known
            loaded = load_source_or_fail(connection, self._cipher, source_id)
        found = _open(loaded) if loaded is not None else None
        with self._lock:
            if found is None:
                self._known.pop(source_id, None)
            else:
                self._known[source_id] = found
                while len(self._known) > MOST_KEPT:
                    self._known.popitem(last=False)
        return found


def load_source_or_fail(
    connection: Connection, cipher: TokenCipher, source_id: str
) -> LoadedSource | None:
    """A source from Postgres; raises UnavailableError if no key opens its secrets."""
    try:
        return load_source(connection, cipher, source_id)
    except UndecryptableError as error:
        log.warning("source_secret_undecryptable", source_id=source_id)
        raise UnavailableError(
            "A secret of this source cannot be decrypted: its key left TOKEN_ENCRYPTION_KEYS."
        ) from error


def _open(stored: LoadedSource) -> OpenSource | None:
    adapter = ADAPTERS.get(stored.vendor)
    if adapter is None:
        return None
    try:
        options = SourceOptions.read(adapter, stored.options)
    except ValidationError:
        # Those of another release: what is read without them is better than nothing.
        log.warning("source_options_unreadable", source_id=stored.id)
        options = SourceOptions(GeneralOptions(), adapter.options())
    return OpenSource(
        stored=stored,
        adapter=adapter,
        general=options.general,
        options=options.own,
        secrets=tuple(each for each in stored.secrets if each.scheme != FORWARDED),
        forwarding=tuple(each for each in stored.secrets if each.scheme == FORWARDED),
    )
