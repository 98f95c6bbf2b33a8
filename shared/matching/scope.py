"""How the contacts of a connection are searched, and in which stages."""

import enum
from dataclasses import dataclass

from shared.configuration.settings import MatchPolicy

MOST_PHONE_PROPERTIES = 3
"""Besides phone and mobile phone: a search of HubSpot's has five alternatives."""


class Stage(enum.Enum):
    """The ways to search, in the order in which a number goes through them.

    Attributes:
        CALCULATED: In the properties that HubSpot calculates: some 90 numbers a search.
        RAW: In what people typed, in the usual spellings: some 10 numbers a search.
        THOROUGH: In what people typed, by pieces of the number: 5 numbers in 2 searches. It finds
            whatever the spelling, two numbers in one field, and remarks around a number.
    """

    CALCULATED = enum.auto()
    RAW = enum.auto()
    THOROUGH = enum.auto()


@dataclass(frozen=True, slots=True)
class SearchScope:
    """What decides whose number it is.

    Attributes:
        region: Where stored numbers without a country code are taken to be.
        policy: Which of several contacts is meant.
        phone_properties: Further contact properties that hold numbers, by HubSpot's names; at most
            `MOST_PHONE_PROPERTIES`.
        is_raw: The account refuses searches on calculated properties.
    """

    region: str
    policy: MatchPolicy
    phone_properties: tuple[str, ...] = ()
    is_raw: bool = False

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that a number goes through until it is found."""
        stages = tuple(Stage)
        return stages[1:] if self.is_raw else stages
