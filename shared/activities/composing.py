"""What a call becomes in HubSpot, of either kind: its body and its properties."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from shared.activities.destination import ActivityKind
from shared.activities.properties import (
    RECORDING,
    call_properties,
    describe_left_out,
    without_refused,
)
from shared.activities.rendering import render_blocks
from shared.calls.content import CallContent
from shared.phone import NO_REGION


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An activity as it is to be.

    Attributes:
        kind: Note or call.
        blocks: The blocks of the body, as HTML by name, in their order.
        last_line: The line that it is known by, as HTML.
        properties: What a Call object has beside its body and time.
        left_out: Names of properties that it should have and HubSpot refuses.
    """

    kind: ActivityKind
    blocks: Mapping[str, str]
    last_line: str
    properties: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

    @property
    def body(self) -> str:
        """The whole body, at most `MAX_BODY_UNITS` UTF-16 units."""
        return "".join(self.blocks.values()) + self.last_line

    @property
    def notices(self) -> tuple[str, ...]:
        """What is left out and why, in sentences for the sync log."""
        return describe_left_out(self.left_out)


def compose(
    kind: ActivityKind,
    call: CallContent,
    *,
    call_id: str,
    log_id: str,
    region: str = NO_REGION,
    refused: Collection[str] = (),
) -> Composed:
    """Return what a call becomes.

    Args:
        kind: Note or call.
        call: What is known of it now.
        call_id: Its id at the producer's.
        log_id: Its id at ours, by which the activity is known.
        region: Where numbers that name no country are read.
        refused: Properties that the account refuses, as `without_refused` reads them.
    """
    properties: dict[str, str] = {}
    left_out = frozenset[str]()
    if kind is ActivityKind.CALL:
        properties = call_properties(call, log_id=log_id, region=region)
        properties, left_out = without_refused(properties, refused)
    # What HubSpot plays needs no link beside the player.
    content = call.model_copy(update={"recording_url": None}) if RECORDING in properties else call
    blocks, last_line = render_blocks(content, call_id=call_id, log_id=log_id)
    return Composed(
        kind=kind, blocks=blocks, last_line=last_line, properties=properties, left_out=left_out
    )
