"""What is kept of a tenant: connection, handovers, HubSpot account, quotas, sessions, audit."""

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
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.configuration.settings import MatchPolicy
from shared.models.base import Base, Id, Moment


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
    # The HubSpot app that was granted this; unknown of connections older than the column until
    # their next refresh.
    client_id: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    default_region: Mapped[str | None] = mapped_column(Text)
    match_policy: Mapped[MatchPolicy | None] = mapped_column(Text)
    # Further contact properties that hold numbers; NULL is the default, as in the two above.
    phone_properties: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    # `shared.calls.choices.Choices`; NULL when nothing is set.
    choices: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
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


class Handover(Base):
    """Calls that a connect has yet to part from an earlier account, or to requeue."""

    __tablename__ = "hubspot_handovers"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    connection_id: Mapped[str] = mapped_column(
        Id, ForeignKey("hubspot_oauth_tokens.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(Text)
    # The account that the calls waited for.
    hub_id: Mapped[int] = mapped_column(BigInteger)
    # Which calls are requeued; those of another code are another handover.
    error_code: Mapped[str | None] = mapped_column(Text)
    # Only calls that came earlier: a parting's boundary, and how far a requeueing has come.
    before: Mapped[datetime] = mapped_column(Moment)
    before_id: Mapped[str] = mapped_column(Id, server_default="")
    moved_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())

    __table_args__ = (
        CheckConstraint("kind IN ('part', 'requeue')", "kind"),
        CheckConstraint("(kind = 'requeue') = (error_code IS NOT NULL)", "requeue_has_code"),
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
    # Until then searches leave out these properties of connections, which it refused as well.
    refused_properties: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    refused_properties_until: Mapped[datetime | None] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(
        Moment, server_default=func.now(), onupdate=func.now()
    )

    __table_args__ = (CheckConstraint("turn_width BETWEEN 1 AND 4", "turn_width"),)


class Quota(Base):
    """When a tenant had something done, as the release before counts it while both run.

    Counted in memory since (`api/quotas.py`); the table can go with the next release.
    """

    __tablename__ = "hubspot_quotas"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    action: Mapped[str] = mapped_column(Text, primary_key=True)
    used_at: Mapped[list[datetime]] = mapped_column(ARRAY(Moment))


class SessionEnd(Base):
    """Tokens that were issued before are refused; the workspace `""` stands for all of the user's.

    Kept for ever: a token without iat may outlive any period.
    """

    __tablename__ = "hubspot_session_ends"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Text, primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(Moment)


class AuditEntry(Base):
    """One deed. Holds ids, counts and an address; never a number, a word of a call or a secret."""

    __tablename__ = "hubspot_audit"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")

    __table_args__ = (Index(None, "user_id", "workspace_id", "id"),)
