"""What pages point to is there: other pages, headings, pictures, and files of the project."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import PAGES, PROJECT, list_anchors, list_spans, read_prose

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"\.?\w[\w.-]*/[\w./*-]*")
FOLDERS = {each.name for each in PROJECT.iterdir() if each.is_dir()} - {".venv", ".git"}


def list_links(page: Path) -> Iterator[str]:
    return (link for link in LINK.findall(read_prose(page)) if not urlsplit(link).scheme)


def list_files(page: Path) -> set[str]:
    """Paths in backticks whose first part is a folder of the project."""
    return {
        span
        for span in list_spans(read_prose(page))
        if PATH.fullmatch(span) and span.partition("/")[0] in FOLDERS
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in list_links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in list_anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    assert [name for name in sorted(list_files(page)) if not any(PROJECT.glob(name))] == []


def test_readme_leads_to_every_page() -> None:
    readme = PROJECT / "README.md"
    linked = {(PROJECT / link.partition("#")[0]).resolve() for link in list_links(readme)}

    assert set(PAGES) - {readme} <= linked


def test_links_and_files_are_found_at_all() -> None:
    assert sum(len(list(list_links(page))) for page in PAGES) > 50
    assert sum(len(list_files(page)) for page in PAGES) > 50
