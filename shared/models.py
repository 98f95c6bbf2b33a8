"""The tables, as typed SQLAlchemy models; what each column is for, and what Postgres refuses."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.settings import MatchPolicy

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# Ids are compared and sorted as bytes: faster, and the same on every server.
Id = Text(collation="C")
Moment = DateTime(timezone=True)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Connection(Base):
    """What links a user and workspace to HubSpot. Tokens are ciphertexts bound to this row."""

    __tablename__ = "hubspot_oauth_tokens"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    access_token: Mapped[str | None] = mapped_column(Text)
    refresh_token: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    refreshed_at: Mapped[datetime | None] = mapped_column(Moment)
    # Changes with every stored token, so that an auth error can be tied to the token it is about.
    token_version: Mapped[int] = mapped_column(Integer, server_default="0")
    # Changes with every connect and disconnect; a claim made under an older one may not write.
    generation: Mapped[int] = mapped_column(Integer, server_default="1")
    state: Mapped[str] = mapped_column(Text)
    state_reason: Mapped[str | None] = mapped_column(Text)
    state_changed_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    hub_id: Mapped[int | None] = mapped_column(BigInteger)
    ui_domain: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    default_region: Mapped[str | None] = mapped_column(Text)
    match_policy: Mapped[MatchPolicy | None] = mapped_column(Text)
    connected_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )

    __table_args__ = (
        UniqueConstraint("user_id", "workspace_id"),
        Index(None, "hub_id", postgresql_where=text("state <> 'disconnected'")),
        CheckConstraint("state IN ('connected', 'disconnected', 'reconnect_required')", "state"),
        CheckConstraint(
            "match_policy IS NULL OR match_policy IN ('most_recent', 'oldest', 'skip')",
            "match_policy",
        ),
        CheckConstraint(
            "state <> 'connected' OR (access_token IS NOT NULL AND refresh_token IS NOT NULL"
            " AND expires_at IS NOT NULL AND hub_id IS NOT NULL)",
            "connected_has_tokens",
        ),
        CheckConstraint(
            "state <> 'disconnected' OR (access_token IS NULL AND refresh_token IS NULL)",
            "disconnected_has_no_tokens",
        ),
    )


class Account(Base):
    """What belongs to a HubSpot account whoever connected it: pauses, and what was learnt of it."""

    __tablename__ = "hubspot_accounts"

    hub_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    paused_until: Mapped[datetime | None] = mapped_column(Moment)
    pause_reason: Mapped[str | None] = mapped_column(Text)
    failing_turns: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    turn_width: Mapped[int] = mapped_column(SmallInteger, server_default="4")
    # Until then searches leave out the calculated phone properties, which this account refused.
    raw_search_until: Mapped[datetime | None] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )

    __table_args__ = (CheckConstraint("turn_width BETWEEN 1 AND 4", "turn_width"),)


class SyncLog(Base):
    """What became of a call, and the queue: a row is due when `next_attempt_at` has come."""

    __tablename__ = "hubspot_sync_logs"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    call_id: Mapped[str] = mapped_column(Text)
    hub_id: Mapped[int | None] = mapped_column(BigInteger)
    contact_id: Mapped[str | None] = mapped_column(Text)
    engagement_id: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="pending")
    error_code: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    phone_number: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime | None] = mapped_column(Moment, server_default=func.now())
    lane: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # Complete look-ups that found nobody, and whether the calculated half of one is done.
    looks: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    raw_lookup: Mapped[bool] = mapped_column(server_default="false")
    # Failures in a row, and when the first of them was: the retry schedule.
    failures: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    failing_since: Mapped[datetime | None] = mapped_column(Moment)
    # The claim: who holds the row, until when, among how many. `fence` counts claims.
    claimed_by: Mapped[str | None] = mapped_column(Id)
    claimed_until: Mapped[datetime | None] = mapped_column(Moment)
    claim_size: Mapped[int | None] = mapped_column(SmallInteger)
    fence: Mapped[int] = mapped_column(Integer, server_default="0")
    # Set when a claim ended without any result: the largest batch it may be claimed in next.
    suspect_size: Mapped[int | None] = mapped_column(SmallInteger)
    solo_crashes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # The mark: a POST may have started then. Cleared only by a definite answer.
    last_write_at: Mapped[datetime | None] = mapped_column(Moment)
    read_back_misses: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )

    __table_args__ = (
        UniqueConstraint("user_id", "workspace_id", "call_id"),
        Index(
            "uq_hubspot_sync_logs_hub_id_engagement_id",
            "hub_id",
            "engagement_id",
            unique=True,
            postgresql_where=text("engagement_id IS NOT NULL"),
        ),
        Index(
            "ix_hubspot_sync_logs_due",
            "user_id",
            "workspace_id",
            "lane",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at IS NOT NULL AND claimed_by IS NULL"),
        ),
        Index(
            "ix_hubspot_sync_logs_claims",
            "claimed_until",
            postgresql_where=text("claimed_by IS NOT NULL"),
        ),
        Index(
            "ix_hubspot_sync_logs_suspects",
            "user_id",
            "workspace_id",
            postgresql_where=text("suspect_size IS NOT NULL"),
        ),
        Index("ix_hubspot_sync_logs_page", "user_id", "workspace_id", "created_at", "id"),
        Index(
            "ix_hubspot_sync_logs_status", "user_id", "workspace_id", "status", "created_at", "id"
        ),
        Index(
            "ix_hubspot_sync_logs_error_code",
            "user_id",
            "workspace_id",
            "error_code",
            "created_at",
            "id",
            postgresql_where=text("error_code IS NOT NULL"),
        ),
        Index(
            "ix_hubspot_sync_logs_phone",
            "user_id",
            "workspace_id",
            "phone_number",
            "created_at",
            "id",
            postgresql_where=text("phone_number IS NOT NULL"),
        ),
        # For operators: rows that are well are in none of these.
        Index(
            "ix_hubspot_sync_logs_failed",
            "created_at",
            "error_code",
            postgresql_where=text("status = 'error' OR error_code = 'configuration_error'"),
        ),
        Index(
            "ix_hubspot_sync_logs_in_doubt",
            "last_write_at",
            postgresql_where=text(
                "last_write_at IS NOT NULL AND next_attempt_at IS NOT NULL AND claimed_by IS NULL"
            ),
        ),
        # Numbers as they came; those in E.164 are found by ix_hubspot_sync_logs_phone.
        Index(
            "ix_hubspot_sync_logs_raw_phone",
            "id",
            postgresql_where=text("phone_number NOT LIKE '+%'"),
        ),
        CheckConstraint("status IN ('pending', 'success', 'error', 'skipped')", "status"),
        CheckConstraint("(status = 'success') = (engagement_id IS NOT NULL)", "success_has_note"),
        CheckConstraint(
            "status <> 'success' OR (next_attempt_at IS NULL AND contact_id IS NOT NULL"
            " AND hub_id IS NOT NULL AND error_code IS NULL)",
            "success_is_final",
        ),
        CheckConstraint(
            "status NOT IN ('error', 'skipped') OR (error_code IS NOT NULL"
            " AND error_message IS NOT NULL)",
            "has_reason",
        ),
        CheckConstraint("status <> 'pending' OR next_attempt_at IS NOT NULL", "pending_is_due"),
        CheckConstraint("status <> 'error' OR next_attempt_at IS NULL", "terminal_error"),
        CheckConstraint(
            "status <> 'success' OR (claimed_by IS NULL AND last_write_at IS NULL"
            " AND suspect_size IS NULL)",
            "success_is_settled",
        ),
        CheckConstraint("claimed_by IS NULL OR next_attempt_at IS NOT NULL", "claimed_is_due"),
        CheckConstraint(
            "(claimed_by IS NULL) = (claimed_until IS NULL)"
            " AND (claimed_by IS NULL) = (claim_size IS NULL)",
            "claim_is_whole",
        ),
        CheckConstraint(
            "last_write_at IS NULL OR (hub_id IS NOT NULL AND contact_id IS NOT NULL)",
            "mark_names_contact",
        ),
        CheckConstraint(
            "read_back_misses = 0 OR last_write_at IS NOT NULL", "misses_are_of_a_mark"
        ),
        CheckConstraint(
            "error_code IS DISTINCT FROM 'unconfirmed' OR last_write_at IS NOT NULL",
            "unconfirmed_has_mark",
        ),
        CheckConstraint("lane BETWEEN 0 AND 3", "lane"),
    )


class Call(Base):
    """The call itself, apart from its log so that it can be deleted when its time is over."""

    __tablename__ = "calls"

    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), primary_key=True
    )
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    received_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)


class Attempt(Base):
    """One try of one call, as the dashboard shows it."""

    __tablename__ = "hubspot_sync_attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), index=True
    )
    started_at: Mapped[datetime] = mapped_column(Moment)
    duration_ms: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    correlation_id: Mapped[str | None] = mapped_column(Text)


class Tally(Base):
    """How many calls of each hour ended how; kept by a trigger so that status polls stay cheap."""

    __tablename__ = "hubspot_sync_tallies"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    hour: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    status: Mapped[str] = mapped_column(Text, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)


class Latency(Base):
    """How many calls of each hour took how long to become notes, in steps of 2^(1/4).

    Kept by the tallies' trigger. A call that took `t` ms, from its webhook to its note, is in the
    bin floor(4 · log2 t).
    """

    __tablename__ = "hubspot_sync_latencies"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    hour: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    bin: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    calls: Mapped[int] = mapped_column(BigInteger)


class Quota(Base):
    """When a tenant had something done that is rationed: the last few times, oldest first."""

    __tablename__ = "hubspot_quotas"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    action: Mapped[str] = mapped_column(Text, primary_key=True)
    used_at: Mapped[list[datetime]] = mapped_column(ARRAY(Moment))


class OAuthState(Base):
    """An authorization on its way: single use, short-lived, stored as a hash."""

    __tablename__ = "hubspot_oauth_states"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    code_verifier: Mapped[str] = mapped_column(Text)
    browser_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    return_to: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class PendingGrant(Base):
    """A grant that waits for the person's confirmation; ciphertexts are bound to the hash."""

    __tablename__ = "hubspot_pending_grants"

    grant_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    access_token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    expires_in: Mapped[int] = mapped_column(Integer)
    hub_id: Mapped[int] = mapped_column(BigInteger)
    ui_domain: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    return_to: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class Revocation(Base):
    """Tokens that HubSpot must be told to forget; erased when told, or after a day of trying."""

    __tablename__ = "hubspot_revocations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    # The row the ciphertexts were bound to.
    bound_to: Mapped[str] = mapped_column(Id)
    hub_id: Mapped[int] = mapped_column(BigInteger)
    access_token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    token_expires_at: Mapped[datetime] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())


class SurplusNote(Base):
    """A second note of one call, to be archived; kept until HubSpot has confirmed it."""

    __tablename__ = "hubspot_surplus_notes"

    hub_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    note_id: Mapped[str] = mapped_column(Text, primary_key=True)
    log_id: Mapped[str] = mapped_column(Id)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())


class LateWrite(Base):
    """A create that stayed unanswered and whose call had left its worker's hands by then.

    The contact's notes are read until the create cannot commit any more: what it wrote is adopted,
    or archived when the call has another note.
    """

    __tablename__ = "hubspot_late_writes"

    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), primary_key=True
    )
    hub_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    contact_id: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    read_back_misses: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
