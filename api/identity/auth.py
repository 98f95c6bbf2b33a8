"""Who asks: bearer tokens (JWT) that name a user and a workspace, and sessions that were ended."""

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from api.http.bodies import Identifier
from api.http.errors import (
    ExpiredTokenError,
    MissingTokenError,
    RevokedTokenError,
    UnauthorizedError,
    name_fields,
)
from api.identity.identity_provider import PublishedKeys
from api.intake.readings import kind_of
from shared.configuration.setting_values import show_duration
from shared.configuration.settings import ApiSettings
from shared.connections.session_ends import find_session_end
from shared.database.engines import Database

LEEWAY_S: Final = 10
# A dashboard asks every few seconds: most of its requests cost no statement more. What changes
# something is rare, and waits for the answer.
KEEP_S: Final = 5.0
MOST_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user within a workspace: what every query of the dashboard is scoped to."""

    user_id: str
    workspace_id: str


class Role(StrEnum):
    """What a token's claim `role` allows, which without it is everything of one's own.

    A viewer may only look; the platform may also set up the call sources of every tenant.
    """

    VIEWER = "viewer"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token names, what it allows, and when it was issued, if it says so.

    Attributes:
        tenant: Whose connection and calls it is about.
        may_change: Whether it is good for more than looking.
        issued_at: In seconds since 1970.
        is_platform: Whether it is good for the call sources of every tenant.
    """

    tenant: Tenant
    may_change: bool
    issued_at: int | None
    is_platform: bool = False


# PyJWT checks a token's claims only when its signature is right, so who may not sign hears none of
# this.
_WRONG_CLAIMS: Final = {
    jwt.InvalidAudienceError: "The token's claim aud does not name this service.",
    jwt.InvalidIssuerError: "The token's claim iss is not the issuer whose tokens are good here.",
    jwt.ImmatureSignatureError: "The token is not valid yet: its claim nbf or iat lies ahead.",
}
# What it has no class of its own for.
_NOT_A_TIME: Final = re.compile(r"\((exp|nbf|iat)\) must be an integer")


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    sub: Identifier
    workspace_id: Identifier


class SharedSecret:
    """The key of tokens that are signed with JWT_SECRET."""

    algorithms = ("HS256",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def find(self, token: str) -> str:
        del token
        return self._secret


class Authenticator:
    """Checks tokens with the one kind of key that is configured."""

    def __init__(self, settings: ApiSettings) -> None:
        self._keys: SharedSecret | PublishedKeys
        if settings.jwt_jwks_url is not None:
            self._keys = PublishedKeys(settings.jwt_jwks_url)
        elif settings.jwt_secret is not None:
            self._keys = SharedSecret(settings.jwt_secret.get_secret_value())
        else:
            raise ValueError("neither JWT_SECRET nor JWT_JWKS_URL is set")
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._max_age_s = settings.jwt_max_age.total_seconds()
        self._max_age = f"JWT_MAX_AGE={show_duration(settings.jwt_max_age)}"

    def authenticate(self, header: str | None) -> Bearer:
        """Return whom the header `Authorization` names, and what it allows.

        Raises:
            UnauthorizedError: It is missing, or its token is not acceptable.
            TryLaterError: The provider's keys cannot be fetched.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise MissingTokenError
        payload = self._decode(token.strip())
        try:
            claims = _Claims.model_validate(payload)
        except ValidationError as error:
            raise UnauthorizedError(_describe_claim(error, payload)) from error
        role = _read_role(payload)
        return Bearer(
            Tenant(claims.sub, claims.workspace_id),
            may_change=role is not Role.VIEWER,
            issued_at=self._check_age(payload),
            is_platform=role is Role.PLATFORM,
        )

    def _check_age(self, payload: dict[str, Any]) -> int | None:
        """When a token was issued, if it says so; raises UnauthorizedError when it is too old."""
        longest, now = self._max_age_s + LEEWAY_S, time.time()
        if "iat" not in payload:
            if int(payload["exp"]) > now + longest:
                raise UnauthorizedError(
                    "The token has no claim iat, and its exp is further away than"
                    f" {self._max_age} allows. Issue tokens with iat, or with a nearer exp."
                )
            return None
        issued_at = int(payload["iat"])
        if issued_at < now - longest:
            raise ExpiredTokenError(
                f"The token was issued longer ago than {self._max_age} allows. Sign in again."
            )
        return issued_at

    def _decode(self, token: str) -> dict[str, Any]:
        """The claims of a token that is acceptable; raises UnauthorizedError."""
        try:
            return jwt.decode(
                token,
                self._keys.find(token),
                algorithms=self._keys.algorithms,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={
                    "require": ["exp", "sub", "workspace_id"],
                    "verify_aud": self._audience is not None,
                    "verify_sub": False,  # our own check says more
                    "verify_jti": False,
                },
            )
        except jwt.ExpiredSignatureError as error:
            raise ExpiredTokenError from error
        # RecursionError: a header that is nested thousands of levels deep
        except (jwt.PyJWTError, RecursionError) as error:
            raise UnauthorizedError(_explain(error)) from error


def _explain(error: jwt.PyJWTError | RecursionError) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"The token lacks the claim {error.claim}."
    if found := _NOT_A_TIME.search(str(error)):
        return f"The token's claim {found[1]} must be a number: seconds since 1970."
    fitting = (message for kind, message in _WRONG_CLAIMS.items() if isinstance(error, kind))
    return next(fitting, UnauthorizedError.usual)


def _read_role(payload: dict[str, Any]) -> Role | None:
    """A token's role, None for the usual one; raises UnauthorizedError for other words."""
    if "role" not in payload:
        return None
    word = payload["role"]
    if isinstance(word, str) and word in set(Role):
        return Role(word)
    raise UnauthorizedError(
        f'The token\'s claim role must be "{Role.VIEWER}", for a token that may only look,'
        f' "{Role.PLATFORM}", for one that may set up the call sources of every tenant, or be left'
        " out."
    )


def _describe_claim(error: ValidationError, payload: dict[str, Any]) -> str:
    """The first of our two claims that is wrong, and what would be right."""
    (claim, _), *_ = name_fields(error)
    wanted = f"The token's claim {claim} must be a string of 1 to 255 printable characters"
    found = payload[claim]
    return f"{wanted}." if isinstance(found, str) else f"{wanted}, not {kind_of(found)}."


class EndedSessions:
    """Knows whose sessions the platform has ended: their tokens are refused, however good."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[Tenant, tuple[float, float | None]] = {}

    def require_open(self, bearer: Bearer, *, may_be_late: bool) -> None:
        """Raise RevokedTokenError if the session of a token has been ended.

        Args:
            bearer: What the token says.
            may_be_late: Who only looks may do so for `KEEP_S` seconds more.
        """
        ended_at = self._find(bearer.tenant, may_be_late=may_be_late)
        if ended_at is None:
            return
        if bearer.issued_at is None:
            raise RevokedTokenError(
                "The sessions of this user were ended, and the token has no claim iat to show that"
                " it is a newer one. Issue tokens with iat, and sign in again."
            )
        if bearer.issued_at < ended_at:
            raise RevokedTokenError

    def _find(self, tenant: Tenant, *, may_be_late: bool) -> float | None:
        now = time.monotonic()
        known = self._known.get(tenant)
        if may_be_late and known is not None and now - known[0] < KEEP_S:
            return known[1]
        with self._database.read() as session:
            ended_at = find_session_end(
                session, user_id=tenant.user_id, workspace_id=tenant.workspace_id
            )
        if len(self._known) >= MOST_KEPT:
            self._known.clear()
        self._known[tenant] = now, ended_at
        return ended_at
