"""The consent page: a person chooses an account and allows or denies an app."""

import urllib.parse
from collections.abc import Mapping

import flask
from werkzeug.wrappers import Response

from sandbox.config import OAuthApp
from sandbox.grants import Authorization
from sandbox.world import Sandbox, World


class _ConsentError(Exception):
    """The authorize URL is wrong; the person sees why, and nothing is sent back."""


def consent_pages(sandbox: Sandbox) -> flask.Blueprint:
    """Serve `/oauth/authorize` and the form that it posts."""
    pages = flask.Blueprint("consent", __name__)

    @pages.errorhandler(_ConsentError)
    def show_problem(error: _ConsentError) -> tuple[str, int]:
        return flask.render_template("consent_error.html", problem=str(error)), 400

    @pages.get("/oauth/authorize")
    def show_consent() -> flask.Response:
        asked = flask.request.args.to_dict()
        app = _checked_app(sandbox.world, asked)
        page = flask.render_template(
            "consent.html",
            app=app,
            asked=asked,
            scopes=_asked_scopes(asked),
            hubs=sorted(sandbox.world.hubs),
        )
        response = flask.make_response(page)
        if sandbox.world.behaviour.severs_opener:
            response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    @pages.post("/oauth/authorize/decision")
    def decide() -> Response:
        asked = flask.request.form.to_dict()
        world = sandbox.world
        app = _checked_app(world, asked)
        if asked.get("decision") == "allow":
            answer = {"code": _issue_code(world, app, asked)}
        else:
            answer = {
                "error": "access_denied",
                "error_description": "The user denied access to the application",
            }
        if "state" in asked:
            answer["state"] = asked["state"]
        separator = "&" if "?" in asked["redirect_uri"] else "?"
        return flask.redirect(
            f"{asked['redirect_uri']}{separator}{urllib.parse.urlencode(answer)}", 302
        )

    return pages


def _checked_app(world: World, asked: Mapping[str, str]) -> OAuthApp:
    app = world.authorizations.apps.get(asked.get("client_id", ""))
    if app is None:
        raise _ConsentError("The client id is missing or unknown.")
    if asked.get("redirect_uri") not in app.redirect_uris:
        raise _ConsentError("The redirect URI is not one that the app is configured with.")
    if set(_asked_scopes(asked)) != set(app.scopes):
        raise _ConsentError("The requested scopes do not match those that the app requires.")
    if asked.get("code_challenge_method", "S256") != "S256":
        raise _ConsentError("The only code challenge method is S256.")
    return app


def _asked_scopes(asked: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(asked.get("scope", "").split())


def _issue_code(world: World, app: OAuthApp, asked: Mapping[str, str]) -> str:
    hub_id = asked.get("hub_id", "")
    hub = world.hubs.get(int(hub_id)) if hub_id.isdigit() else None
    if hub is None:
        raise _ConsentError("Choose an account.")
    with world.lock:
        return world.authorizations.issue_code(
            Authorization(
                hub=hub,
                app=app,
                redirect_uri=asked["redirect_uri"],
                scopes=_asked_scopes(asked),
                code_challenge=asked.get("code_challenge"),
                expires_at=world.now() + world.behaviour.code_seconds,
            )
        )
