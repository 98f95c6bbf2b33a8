"""What is left of calls beside their log: activities that may be one too many, and old hashes."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


class Stray(Base):
    """An activity that is to be found, or one that is to be archived.

    To be found: a create stayed unanswered, and its call had left its worker's hands by then. The
    activities of `contact_id` are read until the create cannot commit any more: what it wrote is
    adopted, or archived when the call has another one.

    To be archived: `activity_id` is a second one of its call. It is kept until HubSpot has
    confirmed that it is gone, longer than its sync log if the account is still connected.
    """

    __tablename__ = "hubspot_strays"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    log_id: Mapped[str] = mapped_column(Id, index=True)
    hub_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(Text, server_default="note")
    contact_id: Mapped[str | None] = mapped_column(Text)
    activity_id: Mapped[str | None] = mapped_column(Text)
    # The log id of one that is to be found: it goes with its sync log.
    sought_id: Mapped[str | None] = mapped_column(
        Id,
        Computed("CASE WHEN activity_id IS NULL THEN log_id ELSE NULL::text END", persisted=True),
        ForeignKey("hubspot_sync_logs.id", ondelete="CASCADE"),
    )
    # When it was written, as far as we know; a later create of the same call renews it.
    written_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    # Looks at the contact that found nothing, or attempts to archive.
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)

    __table_args__ = (
        UniqueConstraint("sought_id", "hub_id"),
        UniqueConstraint("hub_id", "kind", "activity_id"),
        CheckConstraint("kind IN ('note', 'call')", "kind"),
        CheckConstraint("(contact_id IS NULL) <> (activity_id IS NULL)", "sought_or_found"),
    )


class PrunedCall(Base):
    """A call that is known by a hash alone, so that another delivery of it is still a duplicate."""

    __tablename__ = "hubspot_pruned_calls"

    identity_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    log_id: Mapped[str] = mapped_column(Id)
    remembered_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)


class PruningKey(Base):
    """The key of those hashes: one row, made when the first call is pruned."""

    __tablename__ = "hubspot_pruning_keys"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    key: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (CheckConstraint("id = 1", "only_one"),)
