"""Further contact properties that hold numbers: what may be set, and what HubSpot made of it."""

import re
from collections.abc import Collection, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from api.http.responses import ResponseModel
from shared.matching.scope import MOST_PHONE_PROPERTIES
from shared.matching.search_plan import CALCULATED_BY_RAW

_NAME: Final = re.compile(r"[a-z0-9_]{1,100}", re.ASCII)
_CALCULATED: Final = ("hs_calculated_", "hs_searchable_calculated_")


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            "must be the internal name of a contact property in HubSpot, at most 100 lower-case"
            " letters, digits and underscores, such as hs_whatsapp_phone_number"
        )
    if name in CALCULATED_BY_RAW or name.startswith(_CALCULATED):
        raise ValueError("is searched anyway; leave it out")
    return name


def _check_list(names: list[str]) -> list[str]:
    if len(names) > MOST_PHONE_PROPERTIES:
        raise ValueError(
            f"must name at most {MOST_PHONE_PROPERTIES} properties, because one search of HubSpot's"
            " has five alternatives and phone and mobile phone take two"
        )
    if len(set(names)) < len(names):
        raise ValueError("must name each property once")
    return names


PhoneProperties = TypeAliasType(
    "PhoneProperties",
    Annotated[
        list[Annotated[str, AfterValidator(_check_name)]],
        AfterValidator(_check_list),
        Field(
            description="Contact properties that hold numbers besides phone and mobile phone, by"
            f" HubSpot's internal names; at most {MOST_PHONE_PROPERTIES}. A name that HubSpot does"
            " not know is left out of searches, and named in `warnings` once it was.",
        ),
    ],
)


class SettingWarning(ResponseModel):
    """A setting that is stored but cannot be used as it is."""

    field: str
    """The setting."""
    message: str
    """What is wrong and how to mend it."""


def warn_of_refused(names: Sequence[str], refused: Collection[str]) -> list[SettingWarning]:
    """A warning for each of the `names` that HubSpot refuses to search."""
    return [
        SettingWarning(
            field="phone_properties",
            message=f"HubSpot refuses to search the contact property {name}, so it is left out."
            " Check its internal name in HubSpot under Settings, Properties.",
        )
        for name in names
        if name in refused
    ]
