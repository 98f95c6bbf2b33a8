"""Who is refused: a line in the log for each webhook and token that was not good enough."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, request

from api.addresses import client_address

log = structlog.get_logger(__name__)

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def log_refusals(app: Flask) -> None:
    """Say from which address each request came that showed no right, to tell who guesses."""

    @app.after_request
    def log_refusal(response: Response) -> Response:
        if response.status_code in _REFUSED:
            told = response.get_json(silent=True) if response.is_json else None
            code = told.get("error", {}).get("code") if isinstance(told, dict) else None
            log.warning(
                "request_refused",
                status=response.status_code,
                # Not `code`, by which OAuth's secrets go.
                reason=code,
                # The rule and not the path, which is anybody's text.
                route=request.url_rule.rule if request.url_rule else None,
                address=client_address(),
            )
        return response
