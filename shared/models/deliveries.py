"""Deliveries of a call after its first: what was seen, and the news that nobody has merged yet."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


class CallDelivery(Base):
    """One delivery. It goes with the call's content, and its facts once they are merged."""

    __tablename__ = "call_deliveries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    log_id: Mapped[str] = mapped_column(Id, ForeignKey("calls.log_id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    event: Mapped[str] = mapped_column(Text)
    # The event's own time; NULL if it names none that can be believed.
    occurred_at: Mapped[datetime | None] = mapped_column(Moment)
    rank: Mapped[int] = mapped_column(SmallInteger)
    received_at: Mapped[datetime] = mapped_column(Moment)
    is_end: Mapped[bool] = mapped_column()
    is_final: Mapped[bool] = mapped_column()
    withdrawn: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    # Names of the fields that it brought.
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # NULL once they are part of the call, or if they changed nothing.
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    # Of the facts as text, when they came.
    facts_bytes: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (
        UniqueConstraint("log_id", "content_hash"),
        Index(
            "ix_call_deliveries_news",
            "user_id",
            "workspace_id",
            "log_id",
            postgresql_where=text("facts IS NOT NULL"),
        ),
    )
