"""What HubSpot refuses in the properties and associations of a note or a call, by name."""

import re
import urllib.parse
from collections.abc import Callable, Mapping

from sandbox.activity_kinds import ActivityKind
from sandbox.bodies import Association, Properties, check_properties, wrong_property
from sandbox.config import Behaviour
from sandbox.hubs import Hub
from sandbox.moments import iso_time, parse_time
from sandbox.properties import Kind, Schema
from sandbox.refusals import RefusedError, invalid
from sandbox.rich_text import normalise, sanitise

MOST_CHARACTERS = 65_536
_PLAYED = (".mp3", ".wav")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# The end of the year 9999.
_LAST_MOMENT_MS = 253_402_300_799_999
_NEEDED_WITH_SOURCE = ("hs_call_app_id", "hs_call_external_account_id", "hs_call_external_id")


def check_new(
    kind: ActivityKind, hub: Hub, behaviour: Behaviour, given: Properties
) -> dict[str, str]:
    """Return the properties of a new activity as they are kept; raise HubSpot's 400."""
    properties = check_properties(hub.activities[kind.name].schema, given)
    if not properties.get("hs_timestamp"):
        raise invalid(
            f"Error creating {kind.singular.upper()}.  Some required properties were not set.",
            context={"properties": ["hs_timestamp"]},
        )
    return _check(kind, hub, behaviour, properties)


def check_change(
    kind: ActivityKind, hub: Hub, behaviour: Behaviour, given: Properties
) -> dict[str, str]:
    """Return what an update changes, as it is kept; raise HubSpot's 400."""
    schema = hub.activities[kind.name].schema
    if behaviour.ignores_unwritable_properties:
        given = {
            name: value
            for name, value in given.items()
            if name in schema.kinds and name not in schema.read_only
        }
    properties = check_properties(schema, given)
    if properties.get("hs_timestamp") == "":
        raise wrong_property("hs_timestamp", "REQUIRED_FIELD", "hs_timestamp is required")
    return _check(kind, hub, behaviour, properties)


def kept_body(behaviour: Behaviour, text: str) -> str:
    """Return the HTML that HubSpot keeps of a body."""
    return normalise(text) if behaviour.normalises_html else sanitise(text)


def check_association(kind: ActivityKind, hub: Hub, association: Association) -> str:
    """Return the contact's id; raise the 400 of a type or contact that does not exist."""
    for one in association.types:
        if (one.association_category, one.association_type_id) != (
            "HUBSPOT_DEFINED",
            kind.to_contact,
        ):
            raise invalid(
                f"association type id {one.association_type_id} doesn't exist between "
                f"{kind.singular} and contact"
            )
    contact_id = association.to.id
    if hub.contact(contact_id) is None:
        raise RefusedError(
            400,
            f"One or more associations are not valid: no contact with id {contact_id}",
            "OBJECT_NOT_FOUND",
        )
    return contact_id


def _check(
    kind: ActivityKind, hub: Hub, behaviour: Behaviour, properties: dict[str, str]
) -> dict[str, str]:
    kept = {name: _check_value(kind.schema, name, value) for name, value in properties.items()}
    _check_owner(hub, kept)
    _check_disposition(hub, kept)
    _check_recording(behaviour, kept)
    _check_source(kept)
    if kept.get(kind.body):
        kept[kind.body] = kept_body(behaviour, kept[kind.body])
    return kept


def _check_value(schema: Schema, name: str, value: str) -> str:
    """Return a value as it is kept; an empty one clears the property, whatever its kind."""
    options = schema.options.get(name)
    if not value:
        return value
    if options is not None and value not in options:
        raise wrong_property(
            name,
            "INVALID_OPTION",
            f"{value} was not one of the allowed options: {sorted(options)}",
        )
    return _KEPT[schema.kinds[name]](name, value)


def _keep_string(name: str, value: str) -> str:
    if len(value) > MOST_CHARACTERS:
        raise wrong_property(
            name, "INVALID_LENGTH", f"{name} was longer than {MOST_CHARACTERS} characters"
        )
    return value


def _keep_number(name: str, value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise wrong_property(name, "INVALID_INTEGER", f"{value} was not a valid number.")
    return value


def _keep_moment(name: str, value: str) -> str:
    moment = parse_time(value)
    if moment is None or moment > _LAST_MOMENT_MS:
        raise wrong_property(name, "INVALID_DATE", f"{name} was not a valid date")
    return iso_time(moment)


_KEPT: Mapping[Kind, Callable[[str, str], str]] = {
    Kind.STRING: _keep_string,
    Kind.ENUMERATION: _keep_string,
    Kind.NUMBER: _keep_number,
    Kind.DATETIME: _keep_moment,
}


def _check_owner(hub: Hub, properties: Mapping[str, str]) -> None:
    owner_id = properties.get("hubspot_owner_id")
    owner = hub.owners.get(owner_id or "")
    if owner_id and (owner is None or owner.archived):
        raise wrong_property(
            "hubspot_owner_id",
            "INVALID_OWNER_ID",
            f"Owner {owner_id} does not exist or is deactivated",
        )


def _check_disposition(hub: Hub, properties: Mapping[str, str]) -> None:
    given = properties.get("hs_call_disposition")
    if given and given not in {one.id for one in hub.dispositions if not one.deleted}:
        raise wrong_property(
            "hs_call_disposition", "INVALID_OPTION", f"{given} was not one of the allowed options"
        )


def _check_recording(behaviour: Behaviour, properties: Mapping[str, str]) -> None:
    given = properties.get("hs_call_recording_url")
    if not given:
        return
    address = urllib.parse.urlsplit(given)
    is_played = address.path.lower().endswith(_PLAYED)
    if address.scheme != "https" or (behaviour.refuses_unplayable_recordings and not is_played):
        raise wrong_property(
            "hs_call_recording_url", "INVALID_URL", f"{given} is no address of a recording"
        )


def _check_source(properties: Mapping[str, str]) -> None:
    """A call that says it is an integration's must say which, for the recording to be fetched."""
    lacking = [name for name in _NEEDED_WITH_SOURCE if not properties.get(name)]
    if properties.get("hs_call_source") and lacking:
        raise wrong_property(
            "hs_call_source", "REQUIRED_FIELD", f"hs_call_source needs {', '.join(lacking)}"
        )
