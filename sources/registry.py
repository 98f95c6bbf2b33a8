"""All vendors, by the name in their address. Adding one is a line here and a module beside it."""

from types import MappingProxyType
from typing import Final

from sources import (
    aircall,
    bland,
    dialpad,
    elevenlabs,
    generic,
    justcall,
    quo,
    retell,
    synthflow,
    telnyx,
    twilio,
    ultravox,
    vapi,
    vonage,
)
from sources.adapter import Adapter

_ALL: Final[tuple[Adapter, ...]] = (
    vapi.ADAPTER,
    retell.ADAPTER,
    twilio.ADAPTER,
    aircall.ADAPTER,
    elevenlabs.ADAPTER,
    quo.ADAPTER,
    dialpad.ADAPTER,
    bland.ADAPTER,
    telnyx.ADAPTER,
    ultravox.ADAPTER,
    vonage.ADAPTER,
    justcall.ADAPTER,
    synthflow.ADAPTER,
    generic.ADAPTER,
)

ADAPTERS: Final = MappingProxyType({each.vendor: each for each in _ALL})
