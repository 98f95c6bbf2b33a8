"""The recipes of CONTRIBUTING name files, functions and commands that exist."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli import main
from tests.docs.pages import PROJECT, list_spans, read_prose, split_sections

PAGE = read_prose(PROJECT / "CONTRIBUTING.md")
RECIPES = split_sections(split_sections(PAGE, 2)["Recipes"], 3)
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
IN_SCRIPTS = r"(?:function\*?|class|const|let|static) {0}\b"
SUFFIX = re.compile(r"\.(conf|example|js|json|md|py|sql|toml|tpl|ya?ml)$")
# Elsewhere a name is a word of the text.
ANYWHERE = r"(?<![\w-]){0}(?![\w-])"


def list_paths(recipe: str) -> list[Path]:
    return [PROJECT / span for span in list_spans(recipe) if is_path(span)]


def is_path(span: str) -> bool:
    return " " not in span and ("/" in span or SUFFIX.search(span) is not None)


def list_commands(text: str) -> list[str]:
    """Spans of several words, and the first word of each is a program."""
    return [span for span in list_spans(text) if " " in span]


def list_names(recipe: str) -> list[str]:
    return [span for span in list_spans(recipe) if " " not in span and not is_path(span)]


def is_defined(name: str, path: Path) -> bool:
    if not path.is_file():
        return False
    text = path.read_text()
    if path.suffix == ".py":
        return name in set(_definitions(ast.parse(text))) or name in _constants(text)
    pattern = IN_SCRIPTS if path.suffix == ".js" else ANYWHERE
    return re.search(pattern.format(re.escape(name)), text) is not None


def _definitions(tree: ast.AST) -> Iterator[str]:
    """Functions and classes, and what is assigned, also as fields of classes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (each.id for each in targets if isinstance(each, ast.Name))


def _constants(text: str) -> set[str]:
    """Whole texts, such as the name of an operation."""
    return {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_names_files_that_exist(title: str) -> None:
    paths = list_paths(RECIPES[title])

    assert paths
    assert [path for path in paths if not path.exists()] == []


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_names_what_one_of_its_files_defines(title: str) -> None:
    paths = list_paths(RECIPES[title])
    unknown = [
        name
        for name in list_names(RECIPES[title])
        if not any(is_defined(name, path) for path in paths)
    ]
    assert unknown == []


def test_commands_exist() -> None:
    commands = list_commands(PAGE)

    assert len(commands) > 10
    assert [command for command in commands if not is_command(command)] == []


def is_command(command: str) -> bool:
    program, first, *rest = command.split()
    match program:
        case "make":
            return first in TARGETS
        case "callsync":
            return first in main.commands
        case "python" | ".venv/bin/python":
            return first == "-m" and find_spec(rest[0]) is not None
        case "alembic" | "git":
            return True
    return False


def test_what_is_wrong_is_found() -> None:
    """A test of the tests above: a name that exists elsewhere is not taken."""
    wrong = "A member of `Reason` (`shared/phone/renumbering.py`), then `make nothing`."

    (path,) = list_paths(wrong)
    assert list_names(wrong) == ["Reason"]
    assert not is_defined("Reason", path)
    assert is_defined("Reason", PROJECT / "shared" / "reasons.py")
    assert [is_command(each) for each in list_commands(wrong)] == [False]
