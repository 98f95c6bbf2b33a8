"""All vendors, by the name in their address. Adding one is a line here and a module beside it."""

from types import MappingProxyType
from typing import Final

from sources import (
    bland,
    dialpad,
    elevenlabs,
    generic,
    quo,
    retell,
    synthflow,
    telnyx,
    ultravox,
    vapi,
)
from sources.adapter import Adapter

_ALL: Final[tuple[Adapter, ...]] = (
    vapi.ADAPTER,
    retell.ADAPTER,
    elevenlabs.ADAPTER,
    ultravox.ADAPTER,
    quo.ADAPTER,
    dialpad.ADAPTER,
    bland.ADAPTER,
    telnyx.ADAPTER,
    synthflow.ADAPTER,
    generic.ADAPTER,
)

ADAPTERS: Final = MappingProxyType({each.vendor: each for each in _ALL})
