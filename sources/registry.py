"""All vendors, by the name in their address. Adding one is a line here and a module beside it."""

from types import MappingProxyType
from typing import Final

from sources.adapter import Adapter
from sources.bland import BLAND
from sources.dialpad import DIALPAD
from sources.quo import QUO
from sources.synthflow import SYNTHFLOW
from sources.telnyx import TELNYX

_ALL: Final[tuple[Adapter, ...]] = (
    TELNYX,
    QUO,
    DIALPAD,
    BLAND,
    SYNTHFLOW,
)

ADAPTERS: Final = MappingProxyType({each.vendor: each for each in _ALL})
