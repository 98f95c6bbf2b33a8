"""Who asks: bearer tokens (JWT) that name a user and a workspace."""

from dataclasses import dataclass
from typing import Any, Final

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from api.bodies import Identifier
from api.errors import TryLaterError, UnauthorizedError
from shared.settings import ApiSettings

LEEWAY_S: Final = 10
KEYS_TIMEOUT_S: Final = 3
SYMMETRIC: Final = ["HS256"]
ASYMMETRIC: Final = [
    *(f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)),
    "EdDSA",
]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user within a workspace: what every query of the dashboard is scoped to."""

    user_id: str
    workspace_id: str


class _Claims(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    sub: Identifier
    workspace_id: Identifier


class Authenticator:
    """Checks tokens: HS256 with the shared secret, or public keys from the provider's JWKS."""

    def __init__(self, settings: ApiSettings) -> None:
        self._secret = settings.jwt_secret
        self._keys = (
            jwt.PyJWKClient(settings.jwt_jwks_url, timeout=KEYS_TIMEOUT_S)
            if settings.jwt_jwks_url
            else None
        )
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer

    def authenticate(self, header: str | None) -> Tenant:
        """Return whom the header `Authorization` names.

        Raises:
            UnauthorizedError: It is missing, or its token is not acceptable.
            TryLaterError: The provider's keys cannot be fetched.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthorizedError(
                "Send the header Authorization: Bearer <token>.", code="missing_token"
            )
        try:
            claims = _Claims.model_validate(self._decode(token.strip()))
        except jwt.ExpiredSignatureError as error:
            raise UnauthorizedError("The token has expired.", code="expired_token") from error
        except ValidationError as error:
            raise UnauthorizedError(
                "The token's claims sub and workspace_id must be texts of 1 to 255 characters."
            ) from error
        # RecursionError: a header that is nested thousands of levels deep
        except (jwt.PyJWTError, RecursionError) as error:
            raise UnauthorizedError("The token is not valid here.") from error
        return Tenant(claims.sub, claims.workspace_id)

    def _decode(self, token: str) -> dict[str, Any]:
        key = self._find_key(token)
        return jwt.decode(
            token,
            key,
            algorithms=ASYMMETRIC if self._keys else SYMMETRIC,
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={
                "require": ["exp", "sub", "workspace_id"],
                "verify_aud": self._audience is not None,
            },
        )

    def _find_key(self, token: str) -> jwt.PyJWK | str:
        if self._keys is None:
            return self._secret.get_secret_value() if self._secret else ""
        key_id = str(jwt.get_unverified_header(token).get("kid"))
        try:
            return self._keys.get_signing_key(key_id)
        # ValueError: the provider's answer is not JSON
        except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, ValueError) as error:
            raise TryLaterError("The keys that tokens are checked with cannot be read.") from error
