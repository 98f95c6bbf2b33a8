"""A source's options: those that every source has, beside those of its vendor."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.phone import validate_region
from sources.adapter import Adapter, Options

MOST_ENTRIES: Final = 10_000
LONGEST_ID: Final = 255

_NUMBER: Final = re.compile(r"\+?[\d\s().-]+", re.ASCII)
_NO_DIGIT: Final = re.compile(r"\D", re.ASCII)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose calls they are."""

    user_id: str
    workspace_id: str

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `user/workspace`; raises ValueError."""
        user_id, slash, workspace_id = text.partition("/")
        ids = (user_id, workspace_id)
        if not slash or not all(
            each.strip() and each.isprintable() and len(each) <= LONGEST_ID for each in ids
        ):
            raise ValueError("must be user/workspace, like user_1/ws_1")
        return cls(user_id, workspace_id)

    def __str__(self) -> str:
        return f"{self.user_id}/{self.workspace_id}"


def _check_owner(text: str) -> str:
    Owner.read(text)
    return text


OwnerText = Annotated[str, AfterValidator(_check_owner)]
Key = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]


class TenantOptions(BaseModel):
    """How the tenant of a call is found, where one account serves many workspaces."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    ways: Annotated[
        tuple[Literal["table", "metadata"], ...], Field(alias="from", min_length=1, max_length=2)
    ] = ("table",)
    """What is asked, in this order: the table, or the call's metadata (`user_id`,
    `workspace_id`)."""
    table: Annotated[dict[Key, OwnerText], Field(max_length=MOST_ENTRIES)] = {}
    """Of an assistant's, agent's or phone number's id, or of our number: `user/workspace`."""
    allowed: Literal["*"] | Annotated[tuple[OwnerText, ...], Field(max_length=MOST_ENTRIES)] = ()
    """Whom the metadata may name: a list of `user/workspace`, or `*` for everybody."""

    @model_validator(mode="after")
    def _require_allowed(self) -> Self:
        if "metadata" in self.ways and not self.allowed:
            raise ValueError(
                'allowed is missing: list whom metadata may name, or "*" for everybody'
            )
        return self

    def find(
        self, keys: Collection[str], user_id: str | None, workspace_id: str | None
    ) -> Owner | None:
        """Whose a call is; None if nothing says so.

        Args:
            keys: What the table may have, the most specific first.
            user_id: Whom its metadata names, with `workspace_id`.
            workspace_id: See `user_id`.
        """
        for way in self.ways:
            owner = self._look_up(keys) if way == "table" else self._believe(user_id, workspace_id)
            if owner is not None:
                return owner
        return None

    def _look_up(self, keys: Collection[str]) -> Owner | None:
        table = {normalize_key(key): owner for key, owner in self.table.items()}
        owners = (table.get(normalize_key(key)) for key in keys)
        return next((Owner.read(each) for each in owners if each is not None), None)

    def _believe(self, user_id: str | None, workspace_id: str | None) -> Owner | None:
        try:
            owner = Owner.read(f"{user_id or ''}/{workspace_id or ''}")
        except ValueError:
            return None
        if "/" in owner.user_id or (self.allowed != "*" and str(owner) not in self.allowed):
            return None
        return owner


def normalize_key(key: str) -> str:
    """A key of the table, so that two spellings of one number are the same."""
    return _NO_DIGIT.sub("", key) if _NUMBER.fullmatch(key) else key.strip()


class GeneralOptions(BaseModel):
    """What every source may be told, whatever its vendor."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    tenants: TenantOptions | None = None
    """Whose a call is; of a platform's source only."""
    forwarded: bool = False
    """Deliveries are also taken with `Authorization: Bearer` and a secret of the source's own, with
    the vendor's body: for whoever has the vendor's only address already."""
    default_region: Annotated[str, AfterValidator(validate_region)] | None = None
    """The two-letter region of numbers without a country code; the connection's if left out."""


GENERAL: Final = frozenset(GeneralOptions.model_fields)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Checked options.

    Attributes:
        general: Those of every source.
        own: Those of the vendor's model.
    """

    general: GeneralOptions
    own: Options

    @classmethod
    def read(cls, adapter: Adapter, options: Mapping[str, Any]) -> Self:
        """Check options; raises pydantic's ValidationError."""
        general = {name: value for name, value in options.items() if name in GENERAL}
        own = {name: value for name, value in options.items() if name not in GENERAL}
        checked = GeneralOptions.model_validate(general)
        # Some vendors' numbers are read by the adapter itself.
        if "default_region" in adapter.options.model_fields and checked.default_region is not None:
            own["default_region"] = checked.default_region
        return cls(checked, adapter.options.model_validate(own))

    def store(self) -> dict[str, Any]:
        """As JSON: what differs from the defaults."""
        general = self.general.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        own = self.own.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return own | general
