"""The sandbox as a WSGI application: HubSpot's API, its consent page, a control plane, a page."""

import time
from collections.abc import Callable

import flask

from sandbox import (
    account,
    activity_endpoints,
    associations,
    calling,
    contacts,
    oauth,
    search,
)
from sandbox.config import SandboxConfig
from sandbox.consent import consent_pages
from sandbox.control.plane import control_plane
from sandbox.exchange import ApiRequest, Endpoint
from sandbox.gateway import serve
from sandbox.pages import timeline_pages
from sandbox.replies import ConnectionDroppedError
from sandbox.world import Sandbox

_VERSIONS = '<any("2026-09","2026-03"):version>'
_ENDPOINTS = (
    *account.ENDPOINTS,
    *activity_endpoints.ENDPOINTS,
    *associations.ENDPOINTS,
    *calling.ENDPOINTS,
    *contacts.ENDPOINTS,
    *oauth.ENDPOINTS,
    *search.ENDPOINTS,
)


class _Application(flask.Flask):
    def handle_exception(self, e: Exception) -> flask.Response:
        """Leave what a fault drops to the server; a defect of ours is logged and a 500."""
        if isinstance(e, ConnectionDroppedError):
            raise e
        return super().handle_exception(e)


def create_app(
    config: SandboxConfig | None = None, *, now: Callable[[], float] = time.time
) -> flask.Flask:
    """Build a sandbox with a state of its own; `now` is its clock, in seconds."""
    sandbox = Sandbox(config or SandboxConfig(), now)
    app = _Application(__name__)
    for endpoint in _ENDPOINTS:
        for number, rule in enumerate(endpoint.rules):
            app.add_url_rule(
                rule.replace("{version}", _VERSIONS),
                f"{endpoint.name}:{number}",
                _view(sandbox, endpoint),
                methods=[endpoint.method],
            )
    app.register_blueprint(consent_pages(sandbox))
    app.register_blueprint(control_plane(sandbox))
    app.register_blueprint(timeline_pages(sandbox))
    return app


def _view(sandbox: Sandbox, endpoint: Endpoint) -> Callable[..., flask.Response]:
    def view(**path: str) -> flask.Response:
        # HubSpot's token endpoints read the form only, never the query; the body must be taken
        # whole before Flask parses it.
        body = flask.request.get_data(cache=True)
        request = ApiRequest(
            world=sandbox.world,
            path=path,
            query=flask.request.args.to_dict(flat=False),
            form=flask.request.form.to_dict(),
            body=body,
        )
        reply = serve(
            endpoint,
            request,
            authorization=flask.request.headers.get("Authorization", ""),
            url_path=flask.request.path,
        )
        response = flask.Response(reply.content(), reply.status, dict(reply.headers))
        response.content_type = reply.content_type()
        return response

    return view
