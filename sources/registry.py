"""All vendors, by the name in their address. Adding one is a line here and a module beside it."""

from types import MappingProxyType
from typing import Final

from sources import aircall, justcall, twilio, vonage
from sources.adapter import Adapter

_ALL: Final[tuple[Adapter, ...]] = (
    twilio.ADAPTER,
    aircall.ADAPTER,
    vonage.ADAPTER,
    justcall.ADAPTER,
)

ADAPTERS: Final = MappingProxyType({each.vendor: each for each in _ALL})
