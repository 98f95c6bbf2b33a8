"""Call sources: vendors' accounts that deliver calls, their secrets, and what has come of them."""

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
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


def _of_source() -> ForeignKey:
    return ForeignKey("call_sources.id", ondelete="CASCADE")


class CallSource(Base):
    """An address at which a vendor's deliveries come in.

    Without user and workspace it is the platform's, and each call says whose it is.
    """

    __tablename__ = "call_sources"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str | None] = mapped_column(Text)
    workspace_id: Mapped[str | None] = mapped_column(Text)
    vendor: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    paused: Mapped[bool] = mapped_column(server_default="false")
    # Changes with whatever deliveries are checked and read by, the secrets included.
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    # Of a call; of anything genuine; of what was refused and looked like the vendor's.
    last_received_at: Mapped[datetime | None] = mapped_column(Moment)
    last_genuine_at: Mapped[datetime | None] = mapped_column(Moment)
    last_refused_at: Mapped[datetime | None] = mapped_column(Moment)
    last_refusal_code: Mapped[str | None] = mapped_column(Text)
    last_refusal_message: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(None, "user_id", "workspace_id"),
        CheckConstraint("(user_id IS NULL) = (workspace_id IS NULL)", "tenant_is_whole"),
    )


class SourceSecret(Base):
    """A secret of a source: a ciphertext that is bound to this row."""

    __tablename__ = "call_source_secrets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    source_id: Mapped[str] = mapped_column(Id, _of_source(), index=True)
    scheme: Mapped[str] = mapped_column(Text)
    value: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)


class SourceDelivery(Base):
    """One of the last deliveries that matter: names and ids, nothing that was said."""

    __tablename__ = "call_source_deliveries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    source_id: Mapped[str] = mapped_column(Id, _of_source())
    at: Mapped[datetime] = mapped_column(Moment)
    event: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str] = mapped_column(Text)
    call_id: Mapped[str | None] = mapped_column(Text)
    log_id: Mapped[str | None] = mapped_column(Id)
    # Of a platform's source: whose call it was, so that it goes with the tenant.
    user_id: Mapped[str | None] = mapped_column(Text)
    workspace_id: Mapped[str | None] = mapped_column(Text)
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    message: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index(None, "source_id", "id"),
        Index(None, "user_id", "workspace_id"),
    )


class SourceCount(Base):
    """How many deliveries came of a source within an hour, by what they were."""

    __tablename__ = "call_source_counts"

    source_id: Mapped[str] = mapped_column(Id, _of_source(), primary_key=True)
    hour: Mapped[datetime] = mapped_column(Moment, primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    # The name of an ignored event; empty for all others.
    event: Mapped[str] = mapped_column(Text, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[datetime] = mapped_column(Moment)
    message: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("kind IN ('received', 'ignored', 'unreadable', 'refused')", "kind"),
    )


class UnassignedCall(Base):
    """A delivery of a platform's source of which nobody knows yet whose it is; a ciphertext."""

    __tablename__ = "call_source_unassigned"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    source_id: Mapped[str] = mapped_column(Id, _of_source())
    call_id: Mapped[str] = mapped_column(Text)
    # Ids by which a table may find the tenant, the most specific first.
    keys: Mapped[list[str]] = mapped_column(ARRAY(Text))
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    value: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)

    __table_args__ = (UniqueConstraint("source_id", "call_id", "content_hash"),)
