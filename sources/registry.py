"""All vendors, by the name in their address. Adding one is a line here and a module beside it."""

from types import MappingProxyType
from typing import Final

from sources import (
    aircall,
    elevenlabs,
    generic,
    justcall,
    retell,
    twilio,
    ultravox,
    vapi,
    vonage,
)
from sources.adapter import Adapter

_ALL: Final[tuple[Adapter, ...]] = (
    vapi.ADAPTER,
    retell.ADAPTER,
    elevenlabs.ADAPTER,
    twilio.ADAPTER,
    aircall.ADAPTER,
    vonage.ADAPTER,
    ultravox.ADAPTER,
    justcall.ADAPTER,
    generic.ADAPTER,
)

ADAPTERS: Final = MappingProxyType({each.vendor: each for each in _ALL})
