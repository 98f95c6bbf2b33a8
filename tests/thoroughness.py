"""How much of the same kind is tried: some on each run, much nightly.

`make test` tries what shows each kind of fault. With CALLSYNC_THOROUGH=1 more examples are made up,
and whatever is tried with a sample of the cases is tried with all of them.
"""

import os
from typing import Final

IS_THOROUGH: Final = os.environ.get("CALLSYNC_THOROUGH") == "1"
_TIMES: Final = 10


def examples(usually: int) -> int:
    """How many examples to make up."""
    return usually * _TIMES if IS_THOROUGH else usually
