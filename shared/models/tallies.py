"""Counts by hour, kept by a trigger so that what is polled stays cheap."""

from datetime import datetime

from sqlalchemy import BigInteger, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Moment


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
