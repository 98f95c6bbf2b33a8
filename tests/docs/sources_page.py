"""The part of docs/sources.md that is made from the adapters: `python -m tests.docs.sources_page`.

What stands above its heading is written by hand.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sources.adapter import Adapter
from sources.registry import ADAPTERS
from tests.docs.pages import PROJECT

PAGE: Final = PROJECT / "docs" / "sources.md"
HEADING: Final = "## What to click\n"
ADDRESS: Final = "*the source's address*"


def render() -> str:
    """The sections of all vendors, in the order in which they are offered."""
    lines = [HEADING, _INTRODUCTION]
    for adapter in ADAPTERS.values():
        lines += ["", *_describe(adapter)]
    return "\n".join(lines) + "\n"


_INTRODUCTION: Final = (
    "\nThe same words stand in the dashboard. They come from the adapters; a test compares them"
    " with this page."
)


def _describe(adapter: Adapter) -> Iterator[str]:
    yield f"### {adapter.title}"
    yield ""
    for number, step in enumerate(adapter.steps, 1):
        yield f"{number}. {step.replace('{url}', ADDRESS)}"
    yield ""
    for scheme in adapter.schemes:
        yield f"- **{scheme.title}** (`{scheme.name}`): {scheme.hint}"
    for caveat in adapter.caveats:
        yield f"- {caveat}"


def write(page: Path = PAGE) -> None:
    """Write the made part anew, below what is written by hand."""
    by_hand = page.read_text().partition(HEADING)[0]
    page.write_text(by_hand + render())


if __name__ == "__main__":
    write()
