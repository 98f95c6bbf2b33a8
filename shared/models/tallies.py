"""Counts by quarter of an hour, kept by a trigger so that what is polled stays cheap."""

from datetime import date, datetime

from sqlalchemy import ARRAY, BigInteger, Date, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Moment


class Tally(Base):
    """How many calls that came in within a quarter of an hour ended how.

    The trigger on the sync log keeps it. Every zone's clock is a multiple of a quarter hour off
    UTC, so days and hours of any place are sums of these.
    """

    __tablename__ = "hubspot_sync_tallies"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    # The column's name is from when these were hours, and the release before reads it by that.
    quarter: Mapped[datetime] = mapped_column("hour", Moment, primary_key=True)
    status: Mapped[str] = mapped_column(Text, primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger)


class Latency(Base):
    """How many calls of a quarter of an hour took how long to become notes, in steps of 2^(1/4).

    Kept by the tallies' trigger. A call that took `t` ms, from its webhook to its note, is in the
    bin floor(4 · log2 t).
    """

    __tablename__ = "hubspot_sync_latencies"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    quarter: Mapped[datetime] = mapped_column("hour", Moment, primary_key=True)
    bin: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    calls: Mapped[int] = mapped_column(BigInteger)


class DailyTally(Base):
    """The tallies of an old UTC day in one row: `calls[i]` came in within `quarters[i]` of the day.

    Quarters are counted from 0 to 95. One may occur more than once: they are to be summed up.
    """

    __tablename__ = "hubspot_daily_tallies"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    status: Mapped[str] = mapped_column(Text, primary_key=True)
    quarters: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    calls: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class DailyLatency(Base):
    """The latencies of an old UTC day in one row a bin, as in `DailyTally`."""

    __tablename__ = "hubspot_daily_latencies"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    bin: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    quarters: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    calls: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
