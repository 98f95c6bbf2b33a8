"""The pages on which a person sees contacts and their timelines, and edits what stands there."""

import heapq
import itertools
import urllib.parse

import flask
import markupsafe

from sandbox.activities import Activity
from sandbox.activity_kinds import ACTIVITY_KINDS
from sandbox.hubs import Hub
from sandbox.moments import iso_time, parse_time
from sandbox.people import save_edit
from sandbox.records import Record
from sandbox.refusals import RefusedError
from sandbox.world import Sandbox

_MOST_CONTACTS = 100
# Bodies are shown as the HTML that they are: nothing in them may run or load, or be sent.
_WITH_BODIES = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"
# Where people edit, bodies are shown as text.
_WITH_FORMS = _WITH_BODIES.replace("form-action 'none'", "form-action 'self'")
_PLAYED = (".mp3", ".wav")
_KINDS_BY_TYPE_ID = {kind.type_id: kind for kind in ACTIVITY_KINDS.values()}
_ACTIVITY = "/contacts/<int:hub_id>/record/<any('0-46','0-48'):type_id>/<activity_id>"


def timeline_pages(sandbox: Sandbox) -> flask.Blueprint:
    """Serve `/` and, at HubSpot's own addresses, contacts with their timelines and activities."""
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
            hub = _hub(sandbox, hub_id)
            contact = hub.surviving_contact(contact_id)
            if contact is None:
                flask.abort(404)
            return _page(
                "contact.html",
                hub=hub,
                contact=contact,
                timeline=_timeline(hub, contact),
                deleted=_timeline(hub, contact, archived=True),
            )

    _serve_activities(pages, sandbox)
    pages.add_app_template_filter(_body_html, "body_html")
    pages.add_app_template_filter(_call_facts, "call_facts")
    pages.add_app_template_filter(_is_played, "is_played")
    pages.add_app_template_filter(iso_time, "iso_time")
    return pages


def _serve_activities(pages: flask.Blueprint, sandbox: Sandbox) -> None:
    @pages.get(_ACTIVITY)
    def show_activity(hub_id: int, type_id: str, activity_id: str) -> flask.Response:
        with sandbox.world.lock:
            hub = _hub(sandbox, hub_id)
            activity = _activity(hub, type_id, activity_id)
            return _page("activity.html", _WITH_FORMS, hub=hub, activity=activity)

    @pages.post(_ACTIVITY)
    def change_activity(hub_id: int, type_id: str, activity_id: str) -> flask.Response:
        with sandbox.world.lock:
            hub = _hub(sandbox, hub_id)
            activity = _activity(hub, type_id, activity_id)
            activities = hub.activities[activity.kind.name]
            given = flask.request.form.to_dict()
            doing = given.pop("do", "save")
            problem = None
            if doing == "delete" and not activity.archived:
                activities.archive(activity, "person")
            elif doing == "restore" and activity.archived:
                activities.restore(activity)
            elif doing == "save":
                problem = _save(sandbox, hub, activity, given)
            if problem is None:
                return flask.make_response(flask.redirect(flask.request.path, 303))
            page = _page("activity.html", _WITH_FORMS, hub=hub, activity=activity, problem=problem)
            page.status_code = 400
            return page


def _save(sandbox: Sandbox, hub: Hub, activity: Activity, given: dict[str, str]) -> str | None:
    """Save what differs from what stands there; return what is wrong with it, if anything is."""
    # A browser sends line ends of its own.
    texts = {name: value.replace("\r\n", "\n") for name, value in given.items()}
    changes = {
        name: value for name, value in texts.items() if value != activity.properties.get(name, "")
    }
    try:
        if changes:
            save_edit(hub, sandbox.world.behaviour, activity, changes)
    except RefusedError as error:
        return error.message
    return None


def _hub(sandbox: Sandbox, hub_id: int) -> Hub:
    hub = sandbox.world.hubs.get(hub_id)
    return flask.abort(404) if hub is None else hub


def _activity(hub: Hub, type_id: str, activity_id: str) -> Activity:
    kind = _KINDS_BY_TYPE_ID[type_id]
    activity = hub.activities[kind.name].all.get(activity_id)
    return flask.abort(404) if activity is None else activity


def _page(template: str, policy: str = _WITH_BODIES, **context: object) -> flask.Response:
    response = flask.make_response(flask.render_template(template, **context))
    response.headers["Content-Security-Policy"] = policy
    return response


def _liveliest(hub: Hub) -> list[tuple[Record, list[Activity]]]:
    """Return contacts with their timelines: those with the newest activities, then the newest."""
    newest = heapq.merge(
        *(activities.living() for activities in hub.activities.values()),
        key=lambda activity: -int(activity.id),
    )
    lively = (contact_id for activity in newest for contact_id in activity.contact_ids)
    ids = dict.fromkeys(itertools.islice(lively, _MOST_CONTACTS))
    ids |= dict.fromkeys(itertools.islice(reversed(hub.contacts), _MOST_CONTACTS))
    living = [contact for contact in map(hub.contact, ids) if contact is not None]
    return [(contact, _timeline(hub, contact)) for contact in living[:_MOST_CONTACTS]]


def _timeline(hub: Hub, contact: Record, *, archived: bool = False) -> list[Activity]:
    """Return a contact's activities by their place on the timeline, newest first."""
    return sorted(
        (
            activity
            for activities in hub.activities.values()
            for activity in activities.of_contact(contact.id, archived=archived)
        ),
        key=lambda activity: (
            parse_time(activity.properties["hs_timestamp"]) or 0,
            int(activity.id),
        ),
        reverse=True,
    )


def _body_html(activity: Activity) -> markupsafe.Markup:
    text = activity.properties.get(activity.kind.body, "")
    return markupsafe.Markup(text)  # noqa: S704 -- see policy


def _call_facts(activity: Activity, hub: Hub) -> str:
    """Return what HubSpot's card of a call says above its body."""
    given = activity.properties
    labels = {one.id: one.label for one in hub.dispositions}
    minutes, seconds = divmod(int(float(given.get("hs_call_duration", "0"))) // 1000, 60)
    disposition = given.get("hs_call_disposition", "")
    facts = (
        given.get("hs_call_direction", "").capitalize(),
        given.get("hs_call_status", "").replace("_", " ").capitalize(),
        f"{minutes} min {seconds} s" if "hs_call_duration" in given else "",
        labels.get(disposition, disposition),
        " to ".join(
            filter(None, (given.get("hs_call_from_number"), given.get("hs_call_to_number")))
        ),
    )
    return " · ".join(filter(None, facts))


def _is_played(address: str) -> bool:
    """Say whether HubSpot shows a player for this address of a recording."""
    return urllib.parse.urlsplit(address).path.lower().endswith(_PLAYED)
