"""The dashboard's page: static files that talk to the API with the token of whoever opened it."""

from pathlib import Path

from flask import Blueprint, Response, render_template, send_from_directory

from api.errors import MissingEntryError
from api.landing import MESSAGES
from api.services import services

FOLDER = Path(__file__).parent
ASSETS = frozenset({"app.js", "style.css"})

blueprint = Blueprint("dashboard", __name__, template_folder=".")


@blueprint.get("/")
def show_page() -> Response:
    origins = " ".join(services().settings.allowed_origins)
    page = render_template("page.html", origins=origins, failures=MESSAGES)
    response = Response(page, mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        f" base-uri 'none'; form-action 'none'; frame-ancestors {origins}"
    )
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/assets/<name>")
def send_asset(name: str) -> Response:
    if name not in ASSETS:
        raise MissingEntryError("There is nothing at this address.")
    return send_from_directory(FOLDER, name)
