"""What people do in HubSpot's own pages with notes and calls."""

import dataclasses
from collections.abc import Mapping

from sandbox.activities import Activity
from sandbox.activity_rules import check_change, kept_body
from sandbox.config import Behaviour
from sandbox.hubs import Hub


def save_edit(
    hub: Hub, behaviour: Behaviour, activity: Activity, changes: Mapping[str, str]
) -> None:
    """Save what a person changed.

    Values are checked as an update's are. A body is kept as it is, since HubSpot's editor wrote
    it, unless bodies are normalised.

    Raises:
        RefusedError: a value is wrong, or a property unknown or read-only.
    """
    kind = activity.kind
    strict = dataclasses.replace(behaviour, ignores_unwritable_properties=False)
    kept = check_change(kind, hub, strict, dict(changes))
    if kind.body in changes:
        text = changes[kind.body]
        kept[kind.body] = kept_body(behaviour, text) if behaviour.normalises_html else text
    hub.activities[kind.name].edit(activity, kept)
