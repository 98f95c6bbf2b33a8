"""Who asks: bearer tokens (JWT) that name a user and a workspace."""

from dataclasses import dataclass
from typing import Any, Final

import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from api.bodies import Identifier
from api.errors import UnauthorizedError
from api.identity_provider import PublishedKeys
from shared.settings import ApiSettings

LEEWAY_S: Final = 10


@dataclass(frozen=True, slots=True)
class Tenant:
    """A user within a workspace: what every query of the dashboard is scoped to."""

    user_id: str
    workspace_id: str


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
            },
        )
