"""All vendors, by the name in their address. Adding one is a line here and a module beside it."""

from types import MappingProxyType
from typing import Final

from sources.adapter import Adapter

_ALL: Final[tuple[Adapter, ...]] = ()

ADAPTERS: Final = MappingProxyType({each.vendor: each for each in _ALL})
