"""What can go wrong with a request: every error has one envelope.

An error's docstring, status, code and usual message are also what the OpenAPI document says of it.

ApiError
├─ InvalidRequestError      400: every wrong field is named
├─ UnauthorizedError        401: the bearer token is missing or not acceptable
│  ├─ MissingTokenError
│  ├─ ExpiredTokenError
│  └─ RevokedTokenError
├─ InvalidSignatureError    401: the webhook is not signed by a known secret, or is stale
├─ ReadOnlyError            403: the token may only look
├─ WrongWorkspaceError      403: the webhook's secret is another workspace's
├─ NotFoundError            404
│  └─ NoSuchSourceError
├─ ConflictError            409: the connection is not in a state for this
├─ TooLargeError            413
│  └─ WebhookTooLargeError
├─ UnsupportedEncodingError 415
├─ TooOftenError            429: the tenant's quota is used up for the moment
└─ TryLaterError            503: the same request may succeed in a moment
   ├─ UnavailableError      503: the database is away
   ├─ BusyError             503: too many do the same at the moment
   └─ OverQuotaError        503: the webhook's sender has used its quota up; a 4xx loses the call
"""

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Final, NamedTuple

from pydantic import ValidationError

KIB: Final = 1024
# A few fields, and nothing: what most routes take.
USUAL_BYTES: Final = 4 * KIB
RETRY_AFTER_S = 2


class FieldError(NamedTuple):
    """One wrong field by its path (`data.call_id`), and what would be right."""

    field: str
    message: str


class ApiError(Exception):
    """Answers the request with `status` and the error envelope.

    Attributes:
        status: The HTTP status.
        code: Stable, for programs.
        usual: The message, where none is given.
    """

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    usual: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        *,
        fields: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message or self.usual)
        self.message = message or self.usual
        self.fields = tuple(fields)
        self.headers = dict(headers or {})

    @classmethod
    def example(cls) -> "ApiError":
        """One such error, for the OpenAPI document."""
        return cls()

    def envelope(self) -> dict[str, Any]:
        """The JSON of the response."""
        return make_envelope(self.code, self.message, self.fields)


class InvalidRequestError(ApiError):
    """Something in the request is missing or wrong; `fields` names each."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"
    usual = "Some fields are missing or wrong; each is named."

    def __init__(self, fields: Iterable[FieldError]) -> None:
        super().__init__(fields=fields)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidRequestError":
        """An error about one field."""
        return cls([FieldError(field, message)])

    @classmethod
    def example(cls) -> ApiError:
        return cls.of("phone_number", "Field required")


class UnauthorizedError(ApiError):
    """There is no acceptable token. Get a new one and ask again."""

    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_token"
    usual = "The token is not valid here."

    def __init__(self, message: str = "") -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})


class MissingTokenError(UnauthorizedError):
    code = "missing_token"
    usual = "Send the header Authorization: Bearer <token>."


class ExpiredTokenError(UnauthorizedError):
    code = "expired_token"
    usual = "The token has expired."


class RevokedTokenError(UnauthorizedError):
    code = "revoked_token"
    usual = "This session was ended. Sign in again."


class InvalidSignatureError(ApiError):
    """The signature fits no current secret, or the timestamp is stale.

    Sending it again is no cure.
    """

    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_signature"
    usual = (
        "The webhook's signature does not fit, or its timestamp is more than 5 minutes off. Sign"
        " webhook-id, webhook-timestamp and the raw body with a current secret, as Standard"
        " Webhooks says, and check the clock."
    )


class ReadOnlyError(ApiError):
    """The token may only look: its claim `role` is `viewer`."""

    status = HTTPStatus.FORBIDDEN
    code = "read_only"
    usual = (
        "This token may only look (its claim role is viewer). Sign in with one that may change"
        " something."
    )


class WrongWorkspaceError(ApiError):
    """The secret is good, but not for the workspace or user that the call, or every call, names."""

    status = HTTPStatus.FORBIDDEN
    code = "wrong_workspace"
    usual = "The secret that signed this webhook belongs to another workspace."


class NotFoundError(ApiError):
    """There is no such entry, or it is not yours: the two look the same."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"
    usual = "There is nothing at this address."


class NoSuchSourceError(NotFoundError):
    """There is no such call source, or it is not yours, or it is another vendor's."""

    usual = "There is no such call source."


class ConflictError(ApiError):
    status = HTTPStatus.CONFLICT


class TooLargeError(ApiError):
    """The body is larger than this address takes; the message names the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"

    @classmethod
    def beyond(cls, limit: int) -> "TooLargeError":
        """The error that names the limit, in bytes."""
        return cls(f"The body is larger than {limit // KIB} KiB, the most for this address.")

    @classmethod
    def example(cls) -> ApiError:
        return cls.beyond(USUAL_BYTES)


class WebhookTooLargeError(TooLargeError):
    """The call is larger than 1 MiB, or the array than 16 MiB or 1,000 calls.

    A large array needs a Content-Length.
    """

    usual = "The body is larger than 1 MiB. Send less, a shorter transcript."

    @classmethod
    def example(cls) -> ApiError:
        return cls()


class UnsupportedEncodingError(ApiError):
    """The body is compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"
    usual = "Send the body uncompressed, without Content-Encoding."


class TooOftenError(ApiError):
    """The user of a workspace has used up how often this may be asked; the message names it.

    It is possible again when Retry-After is over.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, headers=_retry_after(retry_after_s))

    @classmethod
    def beyond(cls, quota: object, *, retry_after_s: float) -> "TooOftenError":
        """The error that names a quota, as `60 times a minute`."""
        return cls(
            f"This is possible {quota} for one user of a workspace. Wait as long as Retry-After"
            " says.",
            retry_after_s=retry_after_s,
        )

    @classmethod
    def example(cls) -> ApiError:
        return cls.beyond("60 times a minute", retry_after_s=1)


class TryLaterError(ApiError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"

    def __init__(self, message: str = "", *, retry_after_s: float = RETRY_AFTER_S) -> None:
        super().__init__(message, headers=_retry_after(retry_after_s))


class UnavailableError(TryLaterError):
    """The database, or what tokens are checked with, is away.

    Nothing happened, or it is not known whether it did: asking again does no harm.
    """

    usual = "The database does not answer. Send it again."


class BusyError(TryLaterError):
    code = "busy"
    usual = "Too many such requests at once. Try again soon."


class OverQuotaError(TryLaterError):
    code = "over_quota"

    @classmethod
    def of(cls, whose: str, *, retry_after_s: float) -> "OverQuotaError":
        """The error of those whose calls they are, as `for workspace_id 'ws_1'`."""
        return cls(
            f"More calls come in {whose} than WEBHOOK_CALLS_PER_MINUTE allows. Nothing of this"
            " webhook is stored: send it again when Retry-After says.",
            retry_after_s=retry_after_s,
        )

    @classmethod
    def example(cls) -> ApiError:
        return cls.of("for user_id 'user_1' of workspace_id 'ws_1'", retry_after_s=1)


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


# What pydantic would say by the name of a Python class.
_WORDS: Mapping[str, str] = {
    "model_type": "must be an object",
    "extra_forbidden": "is not known here; check its spelling, or leave it out",
}


def name_fields(error: ValidationError) -> list[FieldError]:
    """Turn pydantic's findings into fields and messages; the values themselves are left out."""
    return [
        FieldError(
            ".".join(map(str, found["loc"])) or "body",
            _WORDS.get(found["type"]) or found["msg"].removeprefix("Value error, "),
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def make_envelope(code: str, message: str, fields: Iterable[FieldError] = ()) -> dict[str, Any]:
    """The JSON of every error."""
    error: dict[str, object] = {"code": code, "message": message}
    if named := [field._asdict() for field in fields]:
        error["fields"] = named
    return {"success": False, "error": error}
