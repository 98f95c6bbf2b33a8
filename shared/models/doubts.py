"""Notes of which there may be one too many."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, SmallInteger, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


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
