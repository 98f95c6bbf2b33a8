"""Every operation keeps to the OpenAPI document, whatever it is asked.

`CALLSYNC_HOSTILE_EXAMPLES` asks for that many requests of each operation, other ones each time.
"""

import io
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import describe_api
from api.log.entries import LOG_ID
from shared.database.engines import Database
from tests.api.asking import PUBLIC_URL, Asker, signed_headers
from tests.api.rows import add_attempt, add_connection, add_log, pause

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXAMPLES = os.environ.get("CALLSYNC_HOSTILE_EXAMPLES")
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"max-examples": int(EXAMPLES or 15), "deterministic": EXAMPLES is None},
        "phases": {"stateful": {"enabled": False}},
    }
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PREVIEW = "/api/hubspot/preview"
AnyCase = schemathesis.Case[Any]
SCHEMA = schemathesis.openapi.from_dict(describe_api(PUBLIC_URL), config=CONFIG)


class Insider:
    """The API for somebody who may sign and has a token: what is behind the guards is tested.

    The log id that the document gives as an example stands for `log_id`.
    """

    def __init__(self, app: "WSGIApplication", asker: Asker, log_id: str) -> None:
        self._app = app
        self._token = asker.headers["Authorization"]
        self._log_id = log_id

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        changes = {
            "wsgi.input": io.BytesIO(body),
            "PATH_INFO": environ["PATH_INFO"].replace(LOG_ID, self._log_id),
            "HTTP_AUTHORIZATION": self._token,
        }
        with suppress(UnicodeDecodeError):  # what is no text cannot be signed
            for name, value in signed_headers(body).items():
                changes[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return self._app(environ | changes, start_response)


@pytest.fixture
def insider(client: FlaskClient, asker: Asker, database: Database) -> Insider:
    """A tenant with a connection that waits, and with calls that ended in every way."""
    hub_id = int(asker.user_id.removeprefix("user_"), 16)
    add_connection(database, asker, hub_id=hub_id)
    pause(database, hub_id, seconds=600, reason="429")
    for status in ("pending", "success", "error", "skipped"):
        log_id = add_log(database, asker, status=status)
        add_attempt(database, log_id)
    return Insider(client.application, asker, log_id)


def test_document_is_openapi() -> None:
    SCHEMA.validate()


@SCHEMA.parametrize()
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_answer_is_documented(case: AnyCase, insider: Insider) -> None:
    # The account is paused, which a preview may say with a 503.
    checks = CHECKS[1:] if case.path == PREVIEW else CHECKS
    case.call_and_validate(app=insider, base_url=PUBLIC_URL, checks=checks)
