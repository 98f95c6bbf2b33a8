"""A preview: which contact a number would match, and how the note would look. Writes nothing."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from api.connecting.hubspot_failures import (
    NO_CONNECTION,
    NOT_ASKED,
    NotConnectedError,
    PausedError,
    ReconnectRequiredError,
    explained,
)
from api.connecting.phone_properties import SettingWarning, warn_of_refused
from api.connecting.settings import SettingsChange, apply_change
from api.context.quotas import PREVIEWING
from api.context.rationing import ration
from api.context.services import services
from api.context.tenants import current_tenant, find_own_connection, guard
from api.description.operations import Operation
from api.http.bodies import read_model, takes_body
from api.http.errors import KIB
from api.http.responses import ErrorCode, ResponseModel, Success, respond
from api.log.entries import CONTACT_URL
from shared.activities.bounds import fit_to_note
from shared.activities.rendering import render_note
from shared.calls.choices import Choices
from shared.calls.content import STRICT, CallContent, StorableText
from shared.calls.customers import OwnNumbersError, find_parties
from shared.calls.directions import UnknownDirectionError
from shared.calls.rules import Awaited, LeftOut
from shared.connections import lifecycle as connections
from shared.connections.accounts import AccountState, load_account, remember_refused_properties
from shared.hubspot.models import Contact
from shared.matching.hits import Ambiguous, Match, NoMatch
from shared.matching.preferences import phone_properties_of, region_of, scope_of
from shared.matching.previews import MatchPreview, PreviewSearcher, preview_match
from shared.matching.search_plan import CALCULATED_BY_RAW
from shared.models import Connection
from shared.phone import MAX_TEXT, PhoneError, PhoneNumber, WithheldNumberError, parse_phone
from shared.reasons import NOT_FOUND_MESSAGE, Reason, Status, describe_ambiguity

blueprint = Blueprint("previews", __name__, url_prefix="/api/hubspot")
guard(blueprint)

# What stands in the note's last line; no call has these ids.
CALL_ID: Final = "preview"
LOG_ID: Final = "hs_preview"
LEFT_OUT: Final = LeftOut(
    "min_duration_seconds",
    "Left out by your rule min_duration_seconds: the call was shorter than 10 s.",
)


class PreviewOrder(BaseModel):
    """The number to look up, and the call whose note is wanted."""

    model_config = STRICT

    phone_number: Annotated[StorableText, Field(max_length=MAX_TEXT)]
    """Whom to look up, in any spelling."""
    call: CallContent = CallContent()
    """What the note would be written from, and what rules look at."""
    settings: SettingsChange | None = None
    """Settings to be tried out, as if they had been saved; nothing is stored."""


class PreviewedContact(ResponseModel):
    """A contact that has the number."""

    id: str
    """HubSpot's."""
    name: str
    """First and last name, else the mail address, else the id."""
    email: str | None
    """As it is in HubSpot."""
    phone: str | None
    """As it is in HubSpot; the first of its numbers, in the order in which they are read."""
    url: str
    """The contact's page in HubSpot."""


class Preview(Success):
    """What would become of a call with this number."""

    phone_number: str | None = None
    """The number in full; null when it cannot be read."""
    region: str
    """Where it was read, unless it names its country."""
    contacts: list[PreviewedContact] = Field(default_factory=list)
    """Who has the number, in the order in which the match policy chooses; at most 10."""
    contact_id: str | None = None
    """Who would get the note."""
    status: Status = Status.SKIPPED
    error_code: ErrorCode | None = None
    message: str | None = None
    """Why nobody would get it, in words."""
    waits: str | None = None
    """What the call would wait for before it is looked up, in words; null when it would not."""
    note_html: str
    """The note."""
    warnings: list[SettingWarning] = Field(default=[], exclude_if=lambda warnings: not warnings)
    """What of the settings could not be used; absent where all was."""

    @classmethod
    def examples(cls) -> dict[str, Self]:
        contact = PreviewedContact(
            id="701",
            name="Ada Lovelace",
            email="ada@example.com",
            phone="(202) 555-0123",
            url=CONTACT_URL,
        )
        note_html = (
            "<p><strong>Inbound call</strong><br>Phone: (202) 555-0123</p>"
            "<p><strong>Summary</strong><br>Wants a demo.</p>"
            "<p>Call ID: preview · Ref: hs_preview</p>"
        )
        match = cls(
            phone_number="+12025550123",
            region="US",
            contacts=[contact],
            contact_id="701",
            status=Status.SUCCESS,
            note_html=note_html,
        )
        nobody = cls(
            phone_number="+12025550123",
            region="US",
            error_code=Reason.CONTACT_NOT_FOUND,
            message=NOT_FOUND_MESSAGE,
            note_html=note_html,
        )
        left_out = cls(
            phone_number="+12025550123",
            region="US",
            error_code=Reason.FILTERED,
            message=LEFT_OUT.message,
            note_html=note_html,
        )
        return {"match": match, "nobody": nobody, "left out by a rule": left_out}


@blueprint.post("/preview")
@takes_body(256 * KIB)  # as much as a note holds, with every letter escaped
@Operation(
    "preview",
    "trials",
    body=PreviewOrder,
    asked={
        "a number": {"phone_number": "(202) 555-0123"},
        "with a call": {
            "phone_number": "(202) 555-0123",
            "call": {"direction": "inbound", "summary": "Wants a demo."},
        },
        "a rule before it is saved": {
            "phone_number": "(202) 555-0123",
            "call": {"duration_seconds": 4},
            "settings": {"rules": {"min_duration_seconds": 10}},
        },
    },
    response=Preview,
    failures=(NO_CONNECTION, NOT_ASKED),
)
def preview_call() -> Response:
    """Which contact a number would match, and how the note would look.

    Asks HubSpot within the account's limits, and writes nothing. `status` and `error_code` are what
    the sync log would say, by the workspace's settings or by those that are tried out. The call is
    taken as just ended. At most 10 a minute.
    """
    order = read_model(PreviewOrder)
    with services().database.begin() as session:
        connection, hub_id = _require_connected(find_own_connection(session))
        account = load_account(session, hub_id)
    ration(PREVIEWING, current_tenant())
    if order.settings is not None:
        apply_change(connection, order.settings)  # nobody stores it: its session is over
    region = region_of(connection, services().settings)
    choices = Choices.of(connection.choices)
    content = {**order.call.to_payload(), "phone_number": order.phone_number}
    preview = Preview(region=region, note_html=_render_note(order, choices))
    try:
        parties = find_parties(content, own_numbers=choices.own_numbers, region=region)
        number = parse_phone(parties.customer, region)
        preview.phone_number = number.e164
        _judge(preview, choices, content)
    except OwnNumbersError as error:
        preview.error_code, preview.message = Reason.FILTERED, str(error)
    except PhoneError as error:
        preview.error_code = _reason_of(error)
        preview.message = str(error)
    else:
        if preview.error_code is None:
            _look_up(preview, connection, account, number)
    return respond(preview)


def _judge(preview: Preview, choices: Choices, content: Mapping[str, Any]) -> None:
    """What the rules and `write_when` would do with a call that has just ended."""
    match choices.decide(choices.read_facts(content, region=preview.region)):
        case LeftOut(_, message):
            preview.error_code, preview.message = Reason.FILTERED, message
        case Awaited(_, message):
            preview.waits = message


def _reason_of(error: PhoneError) -> Reason:
    match error:
        case WithheldNumberError():
            return Reason.NO_PHONE_NUMBER
        case UnknownDirectionError():
            return Reason.UNKNOWN_DIRECTION
        case _:
            return Reason.INVALID_PHONE_NUMBER


def _look_up(
    preview: Preview, connection: Connection, account: AccountState, number: PhoneNumber
) -> None:
    found = _find_match(connection, account, number)
    _describe_decision(preview, found.decision)
    names = phone_properties_of(connection)
    refused = {*account.refused_properties, *found.refused_properties}
    preview.warnings = warn_of_refused(names, refused)
    preview.contacts = [
        _describe_contact(each, services().contact_url(account.hub_id, each.id, connection), names)
        for each in found.contacts
    ]


def _require_connected(connection: Connection | None) -> tuple[Connection, int]:
    """The connection and its account, if it is live; raises ConflictError."""
    if connection is not None and connection.state == connections.RECONNECT_REQUIRED:
        raise ReconnectRequiredError
    if connection is None or connection.state != connections.CONNECTED or not connection.hub_id:
        raise NotConnectedError
    return connection, connection.hub_id


def _find_match(connection: Connection, account: AccountState, number: PhoneNumber) -> MatchPreview:
    if account.paused_for > 0:
        raise PausedError(retry_after_s=account.paused_for)
    with services().preview_slots.held(), explained():
        searcher = PreviewSearcher(
            services().hubspot, connection_id=connection.id, hub_id=account.hub_id
        )
        scope = scope_of(connection, account, services().settings)
        found = preview_match(searcher, number, scope)
    if found.refused_properties:
        with services().database.begin() as session:
            remember_refused_properties(session, account.hub_id, found.refused_properties)
    return found


def _describe_decision(preview: Preview, decision: Match | Ambiguous | NoMatch) -> None:
    match decision:
        case Match(contact_id):
            preview.status, preview.contact_id = Status.SUCCESS, contact_id
        case Ambiguous(contact_ids):
            preview.error_code = Reason.AMBIGUOUS_CONTACT
            preview.message = describe_ambiguity(contact_ids)
        case NoMatch():
            preview.error_code = Reason.CONTACT_NOT_FOUND
            preview.message = NOT_FOUND_MESSAGE


def _describe_contact(
    contact: Contact, url: str, phone_properties: Sequence[str]
) -> PreviewedContact:
    known = contact.properties.get
    names = [name for name in (known("firstname"), known("lastname")) if name]
    return PreviewedContact(
        id=contact.id,
        name=" ".join(names) or known("email") or f"Contact {contact.id}",
        email=known("email"),
        phone=next(filter(None, map(known, (*CALCULATED_BY_RAW, *phone_properties))), None),
        url=url,
    )


def _render_note(order: PreviewOrder, choices: Choices) -> str:
    call = order.call
    if not (call.phone_number or call.from_number or call.to_number):
        call = call.model_copy(update={"phone_number": order.phone_number})
    kept = CallContent.from_payload(choices.drop(call.to_payload()))
    content, _ = fit_to_note(kept)
    return render_note(content, call_id=CALL_ID, log_id=LOG_ID)
