"""The page about notes and Calls says what the code does."""

import re

from local.databases import PROJECT
from shared.activities.properties import ENDINGS, LABELS

PAGE = (PROJECT / "docs" / "activities.md").read_text()


def test_outcomes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| `([A-Z_]+)` \| (.+?) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (outcome, ending.status, ending.disposition or "–") for outcome, ending in ENDINGS.items()
    ]


def test_every_property_is_named() -> None:
    assert LABELS.keys() - set(re.findall(r"`(hs_call_[a-z_]+)`", PAGE)) == set()
