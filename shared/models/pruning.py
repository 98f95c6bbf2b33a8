"""What is left of calls whose sync log row has been pruned."""

from datetime import datetime

from sqlalchemy import CheckConstraint, LargeBinary, SmallInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


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
