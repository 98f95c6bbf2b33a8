"""What a customer has decided of their calls: the JSON of a connection's column `choices`.

It holds only what was set; what is absent follows the defaults, which change nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

from shared.calls.customers import find_number_to_store
from shared.calls.rules import (
    CallFacts,
    LeftOut,
    Rules,
    Verdict,
    WriteWhen,
    await_completion,
    judge,
    read_facts,
)
from shared.configuration.settings import Activity

# Which field of a call each key of `keep` is.
KEPT_FIELDS: Final[Mapping[str, str]] = {"transcript": "transcript", "recording": "recording_url"}


class Keep(BaseModel):
    """What of a call is stored at all; what is off is dropped when it arrives."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    transcript: bool = True
    recording: bool = True

    @property
    def dropped(self) -> frozenset[str]:
        """The fields of a call that are not stored."""
        return frozenset(field for key, field in KEPT_FIELDS.items() if not getattr(self, key))


class Choices(BaseModel):
    """All that is decided here; numbers are in E.164.

    Attributes:
        activity: What a call becomes in HubSpot; None: as the service's default says.
    """

    # A release before or after this one may know others.
    model_config = ConfigDict(frozen=True, extra="ignore")

    own_numbers: tuple[str, ...] = ()
    activity: Activity | None = None
    write_when: WriteWhen = "ended"
    keep: Keep = Keep()
    rules: Rules = Rules()

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """The choices of a connection; None and {} are the defaults."""
        return cls.model_validate(stored or {})

    @property
    def can_change_a_call(self) -> bool:
        """Whether anything is set that is looked at before a look-up."""
        return bool(self.own_numbers) or self.write_when != "ended" or self.rules != Rules()

    def drop(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Facts of a call without those that are not kept."""
        return {name: value for name, value in facts.items() if name not in self.keep.dropped}

    def find_number(self, content: Mapping[str, Any]) -> str | None:
        """The customer's number for the log, before any look-up."""
        return find_number_to_store(content, self.own_numbers)

    def read_facts(
        self,
        content: Mapping[str, Any],
        *,
        region: str,
        withdrawn: Collection[str] = (),
        is_final: bool = False,
        ended_for: float | None = 0.0,
    ) -> CallFacts:
        """What the rules look at; a recording that is not kept is not waited for."""
        return read_facts(
            content,
            own_numbers=self.own_numbers,
            region=region,
            withdrawn={*withdrawn, *self.keep.dropped},
            is_final=is_final,
            ended_for=ended_for,
        )

    def decide(self, facts: CallFacts) -> Verdict:
        """Whether a call is left out, or waits, by the rules and then by `write_when`.

        A call whose customer has no number that can be looked up waits for nothing.
        """
        verdict = judge(self.rules, facts)
        if isinstance(verdict, LeftOut):
            return verdict
        if facts.customer is None:
            return None
        return verdict or await_completion(self.write_when, facts)


def merge_choices(
    stored: Mapping[str, Any] | None, change: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Choices as they are stored after a change: None, here and in a map, is the default again.

    `keep` and `rules` merge by key; everything else is replaced. None is returned when nothing is
    set any more.
    """
    merged = dict(stored or {})
    for name, value in change.items():
        is_merged = name in _MERGED and value is not None
        merged[name] = (
            _without_none({**merged.get(name, {}), **value}) or None if is_merged else value
        )
    return _without_none(merged) or None


_MERGED: Final = ("keep", "rules")


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
