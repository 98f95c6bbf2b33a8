"""The Flask application, put together."""

from typing import Final

from flask import Flask, Request
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_path_info

from api import dashboard, health
from api.connecting import callback as oauth_callback
from api.connecting import connection, oauth
from api.connecting import settings as connection_settings
from api.context.senders import log_refusals
from api.context.services import EXTENSION, Waker, build_services
from api.description import docs
from api.description.document import build_document
from api.description.schemas import Json
from api.http.bodies import MAX_BODY_BYTES, limit_bodies
from api.http.error_responses import handle_errors
from api.http.headers import add_headers
from api.http.slow_peers import discard_bodies
from api.log import auditing, exports, statistics, sync_logs
from api.sources import views as call_sources
from api.trying import previews, trials
from api.webhooks import receiving as calls
from api.webhooks import vendors
from shared.configuration.settings import ApiSettings
from shared.database.engines import Database

NOUNS: Final = (
    *(
        calls,
        vendors,
        oauth,
        oauth_callback,
        connection,
        connection_settings,
        call_sources,
        sync_logs,
        exports,
        statistics,
        trials,
        previews,
    ),
    *(auditing, health, docs, dashboard),
)


class _App(Flask):
    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Find the route by the path alone, whatever host a request names."""
        if request is None:
            return super().create_url_adapter(None)
        return self.url_map.bind(
            "localhost",
            path_info=get_path_info(request.environ) or "/",
            default_method=request.method,
        )


def create_app(
    settings: ApiSettings, *, database: Database | None = None, waker: Waker | None = None
) -> Flask:
    """Make the application; nothing connects anywhere before the first request.

    Args:
        settings: The environment, checked.
        database: Instead of one made from `settings`.
        waker: Instead of wake-ups over Redis.
    """
    app = _App(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # A path with `//` is not redirected: that redirect would name the request's own Host.
    app.url_map.merge_slashes = False
    # One more, because a body without Content-Length is silently cut off here.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.extensions[EXTENSION] = build_services(settings, database=database, waker=waker)
    handle_errors(app)
    limit_bodies(app)
    add_headers(app, settings)
    log_refusals(app)
    discard_bodies(app)
    _add_routes(app)
    return app


def describe_api(server_url: str) -> Json:
    """The OpenAPI document, without an application that could answer."""
    app = Flask(__name__, static_folder=None)
    _add_routes(app)
    return build_document(app, server_url)


def _add_routes(app: Flask) -> None:
    for noun in NOUNS:
        app.register_blueprint(noun.blueprint)
