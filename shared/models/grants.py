"""OAuth between the click and the stored token, and grants that are to be revoked."""

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Integer, LargeBinary, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shared.models.base import Base, Id, Moment


class OAuthState(Base):
    """An authorization on its way: single use, short-lived, stored as a hash."""

    __tablename__ = "hubspot_oauth_states"

    state_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    code_verifier: Mapped[str] = mapped_column(Text)
    browser_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    return_to: Mapped[str] = mapped_column(Text)
    # Whether a person has to confirm it, whatever the browser proves.
    asks: Mapped[bool] = mapped_column(server_default="false")
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class PendingGrant(Base):
    """A grant that is not a connection yet; ciphertexts are bound to `id`."""

    __tablename__ = "hubspot_pending_grants"

    grant_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[str] = mapped_column(Id, unique=True)
    user_id: Mapped[str] = mapped_column(Text)
    workspace_id: Mapped[str] = mapped_column(Text)
    access_token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    expires_in: Mapped[int] = mapped_column(Integer)
    # Unknown until HubSpot has said whose it is.
    hub_id: Mapped[int | None] = mapped_column(BigInteger)
    ui_domain: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    return_to: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class DecidedGrant(Base):
    """What became of a pending grant, for a browser that asks again; no token, no tenant."""

    __tablename__ = "hubspot_decided_grants"

    grant_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    return_to: Mapped[str] = mapped_column(Text)
    is_connected: Mapped[bool] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)


class Revocation(Base):
    """Tokens that HubSpot must be told to forget; erased when told, or after a day of trying."""

    __tablename__ = "hubspot_revocations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    # The row the ciphertexts were bound to.
    bound_to: Mapped[str] = mapped_column(Id)
    hub_id: Mapped[int | None] = mapped_column(BigInteger)
    access_token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    token_expires_at: Mapped[datetime] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
