"""The match policy under the name that the OpenAPI document gives it."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypeAliasType

from shared.configuration import settings

MatchPolicy = TypeAliasType(
    "MatchPolicy",
    Annotated[
        settings.MatchPolicy,
        Field(
            description="Which of several contacts with the number gets the note: the one that"
            " changed last, the oldest one, or none of them."
        ),
    ],
)
