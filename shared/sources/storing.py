"""Sources and their secrets in Postgres; secrets are ciphertexts that are bound to their row."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.crypto import TokenCipher
from shared.ids import new_secret_id, new_source_id
from shared.models import CallSource, SourceSecret
from shared.sources.options import Owner
from sources.adapter import Secret

# Of a scheme of the vendor's, and as many again of forwarded deliveries.
MOST_SECRETS: Final = 3
MOST_SOURCES: Final = 100
FORWARDED: Final = "forwarded"
_FIELD: Final = "secret"


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret without its value."""

    id: str
    scheme: str
    added_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A source as it is shown."""

    id: str
    owner: Owner | None
    vendor: str
    name: str
    options: Mapping[str, Any]
    paused: bool
    created_at: datetime
    last_received_at: datetime | None
    last_genuine_at: datetime | None
    last_refused_at: datetime | None
    last_refusal_code: str | None
    last_refusal_message: str | None
    secrets: tuple[StoredSecret, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """A source as deliveries are checked and read by it.

    Attributes:
        id: As in the address.
        version: Of all the rest.
        owner: Whose calls they are; None if each says so.
        vendor: Whose deliveries they are.
        options: As stored.
        paused: Whether calls are to wait.
        secrets: All that are good.
    """

    id: str
    version: int
    owner: Owner | None
    vendor: str
    options: Mapping[str, Any] = field(repr=False)
    paused: bool
    secrets: tuple[Secret, ...] = field(repr=False)


def add_source(
    session: Session,
    *,
    owner: Owner | None,
    vendor: str,
    name: str,
    options: Mapping[str, Any],
    paused: bool = False,
) -> str:
    """Add a source; returns its id, which no other ever had."""
    source = CallSource(
        id=new_source_id(),
        user_id=owner.user_id if owner else None,
        workspace_id=owner.workspace_id if owner else None,
        vendor=vendor,
        name=name,
        options=dict(options),
        paused=paused,
    )
    session.add(source)
    session.flush()
    return source.id


def list_sources(session: Session, owner: Owner | None) -> list[StoredSource]:
    """A tenant's sources, or the platform's, oldest first."""
    query = select(CallSource).where(*_is_of(owner)).order_by(CallSource.created_at, CallSource.id)
    return _describe(session, session.scalars(query).all())


def list_all_sources(session: Session) -> list[StoredSource]:
    """Everybody's, oldest first."""
    query = select(CallSource).order_by(CallSource.created_at, CallSource.id)
    return _describe(session, session.scalars(query).all())


def find_source(
    session: Session, source_id: str, owner: Owner | None, *, locked: bool = False
) -> StoredSource | None:
    """One of a tenant's sources, or of the platform's.

    Args:
        session: A transaction.
        source_id: Which.
        owner: Whose; of anybody else's it is not found.
        locked: Whether it is going to be changed in this transaction.
    """
    query = select(CallSource).where(CallSource.id == source_id, *_is_of(owner))
    if locked:
        query = query.with_for_update()
    found = session.scalars(query).all()
    return _describe(session, found)[0] if found else None


def find_by_name(
    session: Session, owner: Owner | None, vendor: str, name: str
) -> StoredSource | None:
    """The oldest source of a tenant's with a name."""
    query = (
        select(CallSource)
        .where(CallSource.vendor == vendor, CallSource.name == name, *_is_of(owner))
        .order_by(CallSource.created_at, CallSource.id)
        .limit(1)
    )
    found = session.scalars(query).all()
    return _describe(session, found)[0] if found else None


def find_anywhere(session: Session, source_id: str) -> StoredSource | None:
    """A source, whosever it is."""
    found = session.scalars(select(CallSource).where(CallSource.id == source_id)).all()
    return _describe(session, found)[0] if found else None


_UNSET: Final = object()


def change_source(
    session: Session,
    source_id: str,
    *,
    name: object = _UNSET,
    options: object = _UNSET,
    paused: object = _UNSET,
) -> None:
    """Change what is given; deliveries from now on are checked and read by it."""
    given = {"name": name, "options": options, "paused": paused}
    values = {key: value for key, value in given.items() if value is not _UNSET}
    session.execute(
        update(CallSource)
        .where(CallSource.id == source_id)
        .values(version=CallSource.version + 1, **values)
    )


def remove_source(session: Session, source_id: str) -> bool:
    """Delete a source with its secrets and deliveries; its calls stay. Returns whether it was."""
    query = delete(CallSource).where(CallSource.id == source_id).returning(CallSource.id)
    return session.execute(query).first() is not None


def add_secret(
    session: Session, cipher: TokenCipher, source_id: str, *, scheme: str, value: str
) -> str:
    """Add a secret, encrypted; returns its id."""
    secret_id = new_secret_id()
    sealed = cipher.encrypt(value, row_id=secret_id, field=_FIELD)
    session.add(SourceSecret(id=secret_id, source_id=source_id, scheme=scheme, value=sealed))
    session.flush()
    _renew(session, source_id)
    return secret_id


def remove_secret(session: Session, source_id: str, secret_id: str) -> bool:
    """Delete a secret; returns whether the source had it."""
    query = (
        delete(SourceSecret)
        .where(SourceSecret.id == secret_id, SourceSecret.source_id == source_id)
        .returning(SourceSecret.id)
    )
    found = session.execute(query).first() is not None
    _renew(session, source_id)
    return found


def open_secrets(session: Session, cipher: TokenCipher, source_id: str) -> list[Secret]:
    """The secrets of a source with their values; raises UndecryptableError."""
    query = (
        select(SourceSecret)
        .where(SourceSecret.source_id == source_id)
        .order_by(SourceSecret.added_at, SourceSecret.id)
    )
    return [_open(cipher, each) for each in session.scalars(query)]


def _renew(session: Session, source_id: str) -> None:
    session.execute(
        update(CallSource).where(CallSource.id == source_id).values(version=CallSource.version + 1)
    )


_VERSION = text("SELECT version FROM call_sources WHERE id = :id")
# In one statement, so that a version is that of all the rest.
_LOAD = text("""
    SELECT s.version, s.user_id, s.workspace_id, s.vendor, s.options, s.paused,
           (SELECT coalesce(json_agg(json_build_object(
                       'id', e.id, 'scheme', e.scheme, 'value', e.value)
                       ORDER BY e.added_at, e.id), '[]')
            FROM call_source_secrets e WHERE e.source_id = s.id) AS secrets
    FROM call_sources s WHERE s.id = :id
""").columns(options=JSONB)


def read_version(connection: Connection, source_id: str) -> int | None:
    """Which version of a source there is now; None if there is none."""
    return connection.execute(_VERSION, {"id": source_id}).scalar_one_or_none()


def load_source(connection: Connection, cipher: TokenCipher, source_id: str) -> LoadedSource | None:
    """A source with all that deliveries are checked by.

    Raises:
        UndecryptableError: A secret's key left TOKEN_ENCRYPTION_KEYS.
    """
    row = connection.execute(_LOAD, {"id": source_id}).one_or_none()
    if row is None:
        return None
    owner = Owner(row.user_id, row.workspace_id) if row.user_id is not None else None
    return LoadedSource(
        id=source_id,
        version=row.version,
        owner=owner,
        vendor=row.vendor,
        options=row.options,
        paused=row.paused,
        secrets=tuple(
            Secret(
                id=each["id"],
                scheme=each["scheme"],
                value=cipher.decrypt(each["value"], row_id=each["id"], field=_FIELD),
            )
            for each in row.secrets
        ),
    )


def count_sources(session: Session, owner: Owner | None) -> int:
    """How many sources somebody has."""
    query = select(func.count()).select_from(CallSource).where(*_is_of(owner))
    return int(session.execute(query).scalar_one())


def _open(cipher: TokenCipher, row: SourceSecret) -> Secret:
    value = cipher.decrypt(row.value, row_id=row.id, field=_FIELD)
    return Secret(id=row.id, scheme=row.scheme, value=value)


def _is_of(owner: Owner | None) -> Sequence[Any]:
    if owner is None:
        return (CallSource.user_id.is_(None),)
    return CallSource.user_id == owner.user_id, CallSource.workspace_id == owner.workspace_id


def _describe(session: Session, sources: Collection[CallSource]) -> list[StoredSource]:
    secrets: dict[str, list[StoredSecret]] = {each.id: [] for each in sources}
    query = (
        select(SourceSecret)
        .where(SourceSecret.source_id.in_(list(secrets)))
        .order_by(SourceSecret.added_at, SourceSecret.id)
    )
    for each in session.scalars(query) if secrets else ():
        secrets[each.source_id].append(
            StoredSecret(each.id, each.scheme, each.added_at, each.last_used_at)
        )
    return [
        StoredSource(
            id=each.id,
            owner=Owner(each.user_id, each.workspace_id or "") if each.user_id else None,
            vendor=each.vendor,
            name=each.name,
            options=each.options,
            paused=each.paused,
            created_at=each.created_at,
            last_received_at=each.last_received_at,
            last_genuine_at=each.last_genuine_at,
            last_refused_at=each.last_refused_at,
            last_refusal_code=each.last_refusal_code,
            last_refusal_message=each.last_refusal_message,
            secrets=tuple(secrets[each.id]),
        )
        for each in sources
    ]
