"""The pages on which a person sees contacts and what was written to their timelines."""

import itertools

import flask
import markupsafe

from sandbox.hubs import Hub
from sandbox.moments import parse_time
from sandbox.records import Record
from sandbox.world import Sandbox

_MOST_CONTACTS = 100
# Note bodies are shown as the HTML that they are: nothing in them may run or load.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
)


def timeline_pages(sandbox: Sandbox) -> flask.Blueprint:
    """Serve `/` and, at HubSpot's own address of a contact, its timeline."""
    pages = flask.Blueprint("pages", __name__)

    @pages.get("/")
    def show_accounts() -> flask.Response:
        with sandbox.world.lock:
            return _page(
                "accounts.html",
                accounts=[(hub, _liveliest(hub)) for hub in sandbox.world.hubs.values()],
            )

    @pages.get("/contacts/<int:hub_id>/record/0-1/<contact_id>")
    def show_contact(hub_id: int, contact_id: str) -> flask.Response:
        with sandbox.world.lock:
            hub = sandbox.world.hubs.get(hub_id)
            contact = None if hub is None else hub.surviving_contact(contact_id)
            if hub is None or contact is None:
                flask.abort(404)
            return _page("contact.html", hub=hub, contact=contact, timeline=_timeline(hub, contact))

    @pages.app_template_filter("note_html")
    def note_html(note: Record) -> markupsafe.Markup:
        return markupsafe.Markup(note.properties.get("hs_note_body", ""))  # noqa: S704 -- see policy

    return pages


def _page(template: str, **context: object) -> flask.Response:
    response = flask.make_response(flask.render_template(template, **context))
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return response


def _liveliest(hub: Hub) -> list[tuple[Record, list[Record]]]:
    """Return contacts with their timelines: those with the newest notes, then the newest."""
    with_notes = (
        contact_id for note in reversed(hub.notes.values()) for contact_id in note.contact_ids
    )
    ids = dict.fromkeys(itertools.islice(with_notes, _MOST_CONTACTS))
    ids |= dict.fromkeys(itertools.islice(reversed(hub.contacts), _MOST_CONTACTS))
    living = [contact for contact in map(hub.contact, ids) if contact is not None]
    return [(contact, _timeline(hub, contact)) for contact in living[:_MOST_CONTACTS]]


def _timeline(hub: Hub, contact: Record) -> list[Record]:
    """Return a contact's notes by their place on the timeline, newest first."""
    return sorted(
        hub.notes_of(contact.id),
        key=lambda note: (parse_time(note.properties["hs_timestamp"]) or 0, int(note.id)),
        reverse=True,
    )
