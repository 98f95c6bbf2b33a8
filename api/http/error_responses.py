"""The responses to errors: ours, Flask's, the database's, and those that nobody expected."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Flask, Response, jsonify
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import InternalError as ServerStateError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from api.http.errors import (
    ApiError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
    UnsupportedEncodingError,
    WebhookTooLargeError,
    make_envelope,
)

log = structlog.get_logger(__name__)

# What Flask and Werkzeug raise themselves, by status.
HTTP_ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: (InvalidRequestError.code, "The request could not be understood."),
    404: (NotFoundError.code, NotFoundError.usual),
    405: ("method_not_allowed", "This address does not take that method; see the header Allow."),
    413: (WebhookTooLargeError.code, WebhookTooLargeError.usual),
    415: (UnsupportedEncodingError.code, "The body's type is not supported."),
}


OTHER_CODE: Final = "http_error"


class UnexpectedError(ApiError):
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"
    usual = "Something went wrong here."


def handle_errors(app: Flask) -> None:
    """Answer every error of the app with the envelope."""

    @app.errorhandler(ApiError)
    def answer_api_error(error: ApiError) -> Response:
        return _respond(error.status, error.envelope(), error.headers)

    @app.errorhandler(HTTPException)
    def answer_http_error(error: HTTPException) -> Response:
        response = error.get_response()
        status = response.status_code
        code, message = HTTP_ERRORS.get(status, (OTHER_CODE, HTTPStatus(status).phrase))
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in {"Content-Type", "Content-Length"}
        }
        return _respond(status, make_envelope(code, message), headers)

    # The server is away, changes over or is overloaded; whether a commit arrived is not known.
    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    @app.errorhandler(ServerStateError)
    @app.errorhandler(PoolTimeoutError)
    def answer_database_error(error: DBAPIError | PoolTimeoutError) -> Response:
        log.warning("database_failed", error=type(error).__name__)
        return answer_api_error(UnavailableError())

    @app.errorhandler(Exception)
    def answer_unexpected_error(error: Exception) -> Response:
        log.error("request_failed", exc_info=error)
        return answer_api_error(UnexpectedError())


def _respond(status: int, envelope: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    response = jsonify(envelope)
    response.status_code = status
    response.headers.update(headers)
    return response
