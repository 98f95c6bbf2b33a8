"""When sessions of a tenant were ended."""

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Moment


class SessionEnd(Base):
    """Tokens that were issued before are refused; the workspace `""` stands for all of the user's.

    Kept for ever: a token without iat may outlive any period.
    """

    __tablename__ = "hubspot_session_ends"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(Moment)
