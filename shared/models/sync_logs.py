"""The sync log, which is the queue too, with the calls and their attempts."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from shared.models.base import Base, Id, Moment
from shared.models.sources import CallSource
from shared.reasons import Lane, Status


class SyncLog(Base):
    """What became of a call, and the queue: a row is due when `next_attempt_at` has come."""

    __tablename__ = "hubspot_sync_logs"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    call_id: Mapped[str] = mapped_column(Text)
    hub_id: Mapped[int | None] = mapped_column(BigInteger)
    contact_id: Mapped[str | None] = mapped_column(Text)
    # What the call becomes in HubSpot, fixed at intake: `engagement_id` is one of that kind.
    activity: Mapped[str] = mapped_column(Text, server_default="note")
    # The call source that delivered it, which may be removed since; NULL for our own webhook.
    source_id: Mapped[str | None] = mapped_column(Id)
    source: Mapped[CallSource | None] = relationship(
        primaryjoin=lambda: foreign(SyncLog.source_id) == CallSource.id,
        viewonly=True,
        lazy="selectin",
    )
    engagement_id: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=Status.PENDING)
    error_code: Mapped[str | None] = mapped_column(Text)
    error_message: Mapped[str | None] = mapped_column(Text)
    phone_number: Mapped[str | None] = mapped_column(Text)
    # What could not be taken over from the first delivery, as [{"field", "message"}]; no contents.
    warnings: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB(none_as_null=True))
    # What was left out of the activity, or is not written to it, and why: plain sentences.
    notices: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    # Fields that a delivery withdrew: they are kept of none, also after the content's time.
    withdrawn: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    # The call is not known to be over: it is due when it is reported, or has been waited for.
    awaits_end: Mapped[bool] = mapped_column(server_default="false")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime | None] = mapped_column(Moment, server_default=func.now())
    lane: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # Complete look-ups that found nobody, and whether the calculated half of the next is done.
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
    # Set when a claim ended without any result: it may be claimed next in batches of fewer, or, if
    # it is 1, as the only suspect held.
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
            "uq_hubspot_sync_logs_hub_id_activity_engagement_id",
            "hub_id",
            "activity",
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
        # For both together: found by one of them, all that the other leaves out would be read too.
        Index(
            "ix_hubspot_sync_logs_status_error_code",
            "user_id",
            "workspace_id",
            "status",
            "error_code",
            "created_at",
            "id",
            postgresql_where=text("error_code IS NOT NULL"),
        ),
        # For operators: rows that are well are in none of these. Not by the column itself, by which
        # users' pages are sorted: Postgres would look for one user's failures among everybody's.
        Index(
            "ix_hubspot_sync_logs_failures",
            text("(created_at AT TIME ZONE 'UTC')"),
            postgresql_where=text("status = 'error'"),
        ),
        Index(
            "ix_hubspot_sync_logs_misconfigured",
            text("(created_at AT TIME ZONE 'UTC')"),
            postgresql_where=text("error_code = 'configuration_error'"),
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
        # Of sources: whose a call is that one delivered before, and what is held.
        Index(
            "ix_hubspot_sync_logs_source",
            "source_id",
            "call_id",
            postgresql_where=text("source_id IS NOT NULL"),
        ),
        # For the retention of numbers; rows leave it when their number is gone.
        Index(
            "ix_hubspot_sync_logs_old_numbers",
            text("(created_at AT TIME ZONE 'UTC')"),
            postgresql_where=text("phone_number IS NOT NULL AND next_attempt_at IS NULL"),
        ),
        CheckConstraint(f"status IN ({', '.join(map(repr, map(str, Status)))})", "status"),
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
        CheckConstraint(f"lane BETWEEN {min(Lane)} AND {max(Lane)}", "lane"),
        CheckConstraint("activity IN ('note', 'call')", "activity"),
    )


class Call(Base):
    """The call itself, apart from its log so that it can be deleted when its time is over."""

    __tablename__ = "calls"

    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), primary_key=True
    )
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # As text, which may be a thousand times what is on the disk; unknown before version 0011.
    payload_bytes: Mapped[int | None] = mapped_column(Integer)
    received_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
    # The first delivery: a hash of its facts, its event, when that occurred by its own account, and
    # its rank among events of one time. Unknown before version 0017.
    first_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    first_event: Mapped[str | None] = mapped_column(Text)
    first_occurred_at: Mapped[datetime | None] = mapped_column(Moment)
    first_rank: Mapped[int | None] = mapped_column(SmallInteger)
    # Whether it showed that the call is over.
    first_is_end: Mapped[bool] = mapped_column(server_default="true")
    # Of facts that later deliveries brought; what has none here is of the first.
    stamps: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # How many deliveries have changed the call, the first included.
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    is_ended: Mapped[bool] = mapped_column(server_default="true")
    is_final: Mapped[bool] = mapped_column(server_default="false")


class Attempt(Base):
    """One try of one call, as the dashboard shows it.

    Of an update `outcome` is `success`, `pending` if it is tried again, or `error`, and `message`
    says what people should know of it although it succeeded.
    """

    __tablename__ = "hubspot_sync_attempts"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    log_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"), index=True
    )
    # Of the activity: whether it was to be made, or to follow its call.
    kind: Mapped[str] = mapped_column(Text, server_default="create")
    started_at: Mapped[datetime] = mapped_column(Moment)
    duration_ms: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(Text)
    message: Mapped[str | None] = mapped_column(Text)
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    correlation_id: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (CheckConstraint("kind IN ('create', 'update')", "kind"),)
