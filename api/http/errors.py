"""What clients are told when something is wrong: every error has one envelope and is made here.

ApiError
├─ InvalidRequestError      400: every wrong field is named
├─ UnauthorizedError        401: the bearer token is missing or not acceptable
├─ InvalidSignatureError    401: the webhook is not signed by a known secret, or is stale
├─ ForbiddenError           403
│  ├─ ReadOnlyError         403: the token may only look
│  └─ WrongWorkspaceError   403: the webhook's secret is another workspace's
├─ MissingEntryError        404
├─ ConflictError            409: the connection is not in a state for this
├─ TooLargeError            413
├─ UnsupportedEncodingError 415
├─ TooOftenError            429: the tenant's quota is used up for the moment
└─ TryLaterError            503: the same request may succeed in a moment
   └─ OverQuotaError        503: the webhook's sender has used its quota up; a 4xx loses the call
"""

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import ClassVar, NamedTuple

import structlog
from flask import Flask, Response, jsonify
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import InternalError as ServerStateError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 2
MESSAGES: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "The request could not be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method; see the header Allow."),
    413: ("payload_too_large", "The body is larger than 1 MiB. Send less, a shorter transcript."),
    415: ("unsupported_media_type", "The body's type is not supported."),
}


class FieldError(NamedTuple):
    """One wrong field by its path (`data.call_id`), and what would be right."""

    field: str
    message: str


class ApiError(Exception):
    """Answers the request with `status` and the error envelope."""

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.shown_code = code or self.code
        self.fields = tuple(fields)
        self.headers = dict(headers or {})


class InvalidRequestError(ApiError):
    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"

    def __init__(self, fields: Iterable[FieldError]) -> None:
        super().__init__("Some fields are missing or wrong; each is named.", fields=fields)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidRequestError":
        """An error about one field."""
        return cls([FieldError(field, message)])


class UnauthorizedError(ApiError):
    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_token"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code, headers={"WWW-Authenticate": "Bearer"})


class InvalidSignatureError(ApiError):
    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_signature"


class ForbiddenError(ApiError):
    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class ReadOnlyError(ForbiddenError):
    code = "read_only"


class WrongWorkspaceError(ForbiddenError):
    code = "wrong_workspace"


class MissingEntryError(ApiError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class ConflictError(ApiError):
    status = HTTPStatus.CONFLICT

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, code=code)


class TooLargeError(ApiError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"


class UnsupportedEncodingError(ApiError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class TooOftenError(ApiError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, headers=_retry_after(retry_after_s))


class TryLaterError(ApiError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_s: float = RETRY_AFTER_S
    ) -> None:
        super().__init__(message, code=code, headers=_retry_after(retry_after_s))


class OverQuotaError(TryLaterError):
    code = "over_quota"


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


def handle_errors(app: Flask) -> None:
    """Answer every error of the app with the envelope."""

    @app.errorhandler(ApiError)
    def answer_api_error(error: ApiError) -> Response:
        return _envelope(error.status, error.shown_code, error.message, error.fields, error.headers)

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> Response:
        response = error.get_response()
        status = response.status_code
        code, message = MESSAGES.get(status, ("http_error", HTTPStatus(status).phrase))
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in {"Content-Type", "Content-Length"}
        }
        return _envelope(status, code, message, (), headers)

    # The server is away, changes over or is overloaded; whether a commit arrived is not known.
    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    @app.errorhandler(ServerStateError)
    @app.errorhandler(PoolTimeoutError)
    def answer_database_error(error: DBAPIError | PoolTimeoutError) -> Response:
        log.warning("database_failed", error=type(error).__name__)
        return answer_api_error(TryLaterError("The database does not answer. Send it again."))

    @app.errorhandler(Exception)
    def answer_unexpected_error(error: Exception) -> Response:
        log.error("request_failed", exc_info=error)
        return _envelope(
            HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong here.", (), {}
        )


def _envelope(
    status: int,
    code: str,
    message: str,
    fields: Iterable[FieldError],
    headers: Mapping[str, str],
) -> Response:
    error: dict[str, object] = {"code": code, "message": message}
    if named := [field._asdict() for field in fields]:
        error["fields"] = named
    response = jsonify(success=False, error=error)
    response.status_code = status
    response.headers.update(headers)
    return response
