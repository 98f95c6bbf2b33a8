"""The page about call sources says what the adapters say, and has a row for every vendor."""

from sources.registry import ADAPTERS
from tests.docs.pages import list_rows, split_sections
from tests.docs.sources_page import HEADING, PAGE, render


def test_steps_are_those_of_the_adapters() -> None:
    """Written anew by `python -m tests.docs.sources_page`."""
    _, heading, made = PAGE.read_text().partition(HEADING)
    assert heading + made == render()


def test_every_vendor_is_compared() -> None:
    rows = list_rows(split_sections(PAGE.read_text(), 2)["What comes when"])
    compared = [cells[0] for cells in rows]
    assert compared == [adapter.title for adapter in ADAPTERS.values()]
