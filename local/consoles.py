"""Where results are shown: on a terminal, or in a file that has no width."""

import sys
from typing import Final

from rich.console import Console

# Rich would cut a table to 80 columns.
FILE_WIDTH: Final = 200


def open_console() -> Console:
    """A console on stdout, as wide as its terminal or wide enough for every table."""
    return Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
