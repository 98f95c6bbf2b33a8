"""Pages that list what the code has: settings, commands, routes, a webhook's fields, reasons."""

import json
import re
from pathlib import Path

import pytest

from api.app import describe_api
from api.intake.call_ended import EndedCall, parse_call
from cli import main
from shared.configuration.environment import list_settings
from shared.configuration.settings import (
    ApiSettings,
    BrokerSettings,
    FlowerSettings,
    WorkerSettings,
)
from shared.reasons import Reason
from tests.docs.pages import (
    PAGES,
    PROJECT,
    list_rows,
    list_spans,
    read_prose,
    split_sections,
)
from worker.rounds.transitions import SEARCH_AGAIN_S

READERS = {
    "API": list_settings(ApiSettings),
    "worker": list_settings(WorkerSettings),
    "beat": list_settings(BrokerSettings),
    "Flower": list_settings(FlowerSettings),
}
DOCS = PROJECT / "docs"
README = PROJECT / "README.md"
COMMAND = re.compile(r"\bcallsync ([a-z][a-z-]*)(.*)")
OPTION = re.compile(r" (--[a-z-]+)")


def read_section(page: str, heading: str) -> str:
    return split_sections((DOCS / page).read_text(), 2)[heading]


def list_documented_settings() -> dict[str, tuple[bool, str, str]]:
    """Whether it is a secret, who reads it and its default, by its name."""
    return {
        name.strip("`"): (bool(mark), readers, default)
        for cell, readers, default, _ in list_rows(read_section("configuration.md", "The settings"))
        for name, _, mark in [cell.partition(" ")]
    }


def describe_setting(name: str, shown_default: str) -> tuple[bool, str, str]:
    """What the table has to say of a setting; a default that is derived is described in words."""
    readers = [process for process, settings in READERS.items() if name in settings]
    setting = READERS[readers[0]][name]
    default = shown_default
    if isinstance(setting.default, str):
        default = f"`{setting.default}`"
    elif setting.is_required:
        # Some processes may need it less.
        default = shown_default if shown_default.startswith("required;") else "required"
    return setting.is_secret, "all" if len(readers) == len(READERS) else ", ".join(readers), default


def test_every_setting_is_listed_with_its_readers_and_default() -> None:
    shown = list_documented_settings()
    names = {name for settings in READERS.values() for name in settings}

    assert sorted(shown) == sorted(name.upper() for name in names)
    for name in names:
        assert shown[name.upper()] == describe_setting(name, shown[name.upper()][2])
        assert shown[name.upper()][2]


def test_every_command_is_listed() -> None:
    rows = list_rows((DOCS / "commands.md").read_text())
    listed = [list_spans(cell)[0].split()[1] for cell, _ in rows]

    assert sorted(listed) == sorted(main.commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    unknown = [
        f"{name} {option}"
        for span in list_spans(read_prose(page))
        for name, rest in COMMAND.findall(span)
        for option in ("", *OPTION.findall(rest))
        if not is_command(name, option)
    ]
    assert unknown == []


def test_options_that_the_list_of_commands_explains_are_theirs() -> None:
    explained = [
        (list_spans(cell)[0].split()[1], option)
        for cell, words in list_rows((DOCS / "commands.md").read_text())
        for span in list_spans(words)
        for option in re.findall(r"(?:^| )(--[a-z-]+)", span)
        if not span.startswith("callsync")
    ]
    assert explained
    assert [each for each in explained if not is_command(*each)] == []


def is_command(name: str, option: str) -> bool:
    command = main.commands.get(name)
    if command is None:
        return False
    options = {each for parameter in command.params for each in parameter.opts} | {"--help", ""}
    return option in options


def test_every_route_of_the_api_is_listed() -> None:
    rows = list_rows(read_section("dashboard.md", "The API"))
    listed = [span for cell, _ in rows for span in list_spans(cell)]

    assert sorted(listed) == sorted(
        f"{method.upper()} {path}"
        for path, methods in describe_api("")["paths"].items()
        for method in methods
        if path.startswith(("/api/hubspot/", "/api/call-sources"))
    )


def test_every_field_of_a_webhook_is_listed() -> None:
    rows = list_rows(read_section("webhook.md", "The request"))
    listed = [span for cell, _ in rows for span in list_spans(cell)]

    assert sorted(listed) == sorted(EndedCall.model_fields)


def test_examples_of_a_webhook_are_read_without_a_warning() -> None:
    section = read_section("webhook.md", "The request")
    body = section.partition("```json\n")[2].partition("```")[0]

    call = parse_call(json.loads(body))

    assert call is not None
    assert call.warnings == ()


@pytest.mark.parametrize("page", ["how-it-works.md", "troubleshooting.md", "matching.md"])
def test_times_of_later_looks_are_those_of_the_worker(page: str) -> None:
    times = [describe_duration(seconds) for seconds in SEARCH_AGAIN_S]
    text = " ".join((DOCS / page).read_text().split())

    assert f"{', '.join(times[:-1])} and {times[-1]}" in text


def describe_duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def test_reasons_are_counted_rightly() -> None:
    (number,) = re.findall(r"\[(\d+) reasons\]", " ".join(README.read_text().split()))
    assert int(number) == len(Reason)
