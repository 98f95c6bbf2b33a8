"""The documentation of the API: the OpenAPI document, and pages to try it with."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    render_template,
    send_from_directory,
)

from api.context.services import services
from api.description.document import build_document
from api.description.operations import Operation
from api.http.errors import NotFoundError

blueprint = Blueprint("docs", __name__)

EXTENSION: Final = "openapi_document"

# Swagger UI draws its icons from data URLs.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@blueprint.get("/openapi.json")
@Operation(
    "getOpenApi",
    "operation",
    media_type="application/json",
    examples={"start": '{"openapi": "3.1.0"}'},
)
def show_document() -> Response:
    """This document.

    OpenAPI 3.1.
    """
    kept = current_app.extensions
    if EXTENSION not in kept:
        kept[EXTENSION] = build_document(current_app, services().settings.public_url)
    return jsonify(kept[EXTENSION])


@blueprint.get("/docs")
@Operation("getDocs", "operation")
def show_docs() -> Response:
    """This document to read and try.

    Works with a token: press Authorize.
    """
    response = Response(render_template("docs.html"), mimetype="text/html")
    response.headers["Content-Security-Policy"] = CONTENT_POLICY
    return response


@blueprint.get("/docs/<name>")
def send_asset(name: str) -> Response:
    folders = {
        "docs.js": Path(__file__).with_name("static"),
        "swagger-ui.css": _swagger_folder() / "css",
        "swagger-ui-bundle.js": _swagger_folder() / "js",
    }
    if name not in folders:
        raise NotFoundError
    return send_from_directory(folders[name], name)


@cache
def _swagger_folder() -> Path:
    """Where the files of Swagger UI are installed; their package is not imported."""
    spec = find_spec("flask_openapi3_swagger")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("flask-openapi3-swagger is not installed")
    return Path(spec.submodule_search_locations[0], "templates", "swagger")
