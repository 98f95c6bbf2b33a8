"""What browsers load: the dashboard's page, the web component to embed, and the typed client.

All are static files; what they show they ask the API for, with the token of whoever opened them.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, render_template, request

from api.context.services import services
from api.description.operations import Operation
from api.http.errors import ApiError, NotFoundError

FOLDER: Final = Path(__file__).parent
COMPONENT: Final = FOLDER / "component"
MODULES: Final = {
    f"embed/{path.relative_to(COMPONENT).as_posix()}": path
    for path in sorted(COMPONENT.rglob("*.js"))
}
# Of pages that sign in whoever brings a token; without these the element still can be embedded.
PAGE_FILES: Final[Mapping[str, Path]] = {
    "assets/app.js": FOLDER / "app.js",
    "embed/example.css": FOLDER / "example.css",
    "embed/example.js": FOLDER / "example.js",
}
# By their addresses; the modules import each other relatively, by the same paths as on disk.
FILES: Final[Mapping[str, Path]] = {
    "client.js": FOLDER / "client.js",
    "client.d.ts": FOLDER / "client.d.ts",
    "assets/style.css": FOLDER / "style.css",
    **PAGE_FILES,
    **MODULES,
}
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
}

blueprint = Blueprint("dashboard", __name__, template_folder=".")


class SwitchedOffError(NotFoundError):
    """This service's own pages are switched off."""

    @classmethod
    def of(cls, dashboard_url: str) -> "SwitchedOffError":
        """The error that says where the dashboard is."""
        return cls(
            "This service's own pages are switched off (BUILT_IN_PAGE=off). The dashboard is at"
            f" {dashboard_url}."
        )

    @classmethod
    def example(cls) -> ApiError:
        return cls.of("https://app.example.com/calls")


@blueprint.get("/")
@Operation("getDashboard", "operation", failures=(SwitchedOffError,))
def show_page() -> Response:
    """The dashboard.

    A page; the token is taken from the address's fragment, `#token=…`. Not there where
    `BUILT_IN_PAGE` is off.
    """
    _require_pages()
    settings = services().settings
    framed_by, origins = " ".join(settings.allowed_origins), " ".join(settings.trusted_origins)
    return _show("page.html", framed_by=framed_by, origins=origins, modules=MODULES)


@blueprint.get("/embed/example")
def show_example() -> Response:
    _require_pages()
    return _show("example.html", framed_by="'none'", public_url=services().settings.public_url)


@blueprint.get("/embed/landed")
def show_landed() -> Response:
    """Where HubSpot's popup comes back to; it informs the page that waits, and signs nobody in."""
    origins = " ".join(services().settings.trusted_origins)
    return _show("landed.html", framed_by="'none'", origins=origins)


@blueprint.get("/<any('client.js','client.d.ts'):name>")
@blueprint.get("/<any(assets,embed):folder>/<path:name>")
def send_file(name: str, folder: str = "") -> Response:
    path = FILES.get(f"{folder}/{name}" if folder else name)
    if path is not None and path in PAGE_FILES.values():
        _require_pages()
    if path is None:
        raise NotFoundError
    return _keep(Response(path.read_bytes(), content_type=MEDIA_TYPES[path.suffix]))


def _require_pages() -> None:
    """Raise SwitchedOffError where the pages that sign in by their address are switched off."""
    settings = services().settings
    if not settings.built_in_page:
        raise SwitchedOffError.of(settings.dashboard_url)


def _show(template: str, *, framed_by: str, **context: object) -> Response:
    response = Response(render_template(template, **context), mimetype="text/html")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        f" base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}"
    )
    return _keep(response)


def _keep(response: Response) -> Response:
    """Let browsers keep a file and ask each time whether it changed.

    Modules of two releases never meet that way. The tag is made from the contents, so that it is
    the same on every server.
    """
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    response.make_conditional(request)
    return response
