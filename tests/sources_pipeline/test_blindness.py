"""Only a vendor's own module, the registry, fixtures and docs name a vendor."""

import re
from pathlib import Path
from typing import Final

import pytest

from local.databases import PROJECT
from sources.registry import ADAPTERS

FOLDERS: Final = ("api", "commands", "shared", "sources", "worker")
# What every platform could be called, and a word of everyday English.
COMMON: Final = frozenset({"generic", "bland", "quo"})


def list_modules() -> list[Path]:
    named = {f"{vendor}.py" for vendor in ADAPTERS} | {"registry.py"}
    return [
        path
        for folder in FOLDERS
        for path in sorted((PROJECT / folder).rglob("*"))
        if path.suffix in {".py", ".js"} and not (folder == "sources" and path.name in named)
    ]


# What the words of the product compare with, and the shared parts of adapters that cite a vendor.
EXCEPTIONS: Final = {
    "sources/adapter.py",
    "sources/hmac_options.py",
    "sources/forms.py",
    "sources/reading.py",
    "sources/signing.py",
    "sources/generic_options.py",
}


@pytest.mark.parametrize("vendor", sorted(ADAPTERS.keys() - COMMON))
def test_the_pipeline_names_no_vendor(vendor: str) -> None:
    word = re.compile(rf"(?<![a-z]){vendor}(?![a-z])", re.IGNORECASE)
    found = [
        name
        for path in list_modules()
        if (name := str(path.relative_to(PROJECT))) not in EXCEPTIONS
        and word.search(path.read_text())
    ]
    assert found == []


def test_code_outside_the_sources_asks_for_no_vendor() -> None:
    """Not in a string either: what is of one vendor stands in its adapter."""
    quoted = re.compile(rf"[\"']({'|'.join(ADAPTERS)})[\"']")
    found = {
        str(path.relative_to(PROJECT)): quoted.findall(path.read_text())
        for path in list_modules()
        if path.suffix == ".py" and path.parts[len(PROJECT.parts)] != "sources"
    }
    examples = {name: set(words) for name, words in found.items() if words}
    # Examples of the API's document are of the vendor that is no vendor.
    assert set().union(*examples.values()) <= {"generic"}
