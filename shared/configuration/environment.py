"""How a group of settings is read from environment variables, with all its problems at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from shared.configuration.setting_values import InvalidValueError


class Problem(NamedTuple):
    """One variable that is missing or malformed."""

    name: str
    problem: str
    cure: str


class SettingsError(Exception):
    """The environment does not hold what the process needs; the message lists every problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = (f"  {name}: {problem}; {cure}" for name, problem, cure in self.problems)
        super().__init__("\n".join(("these settings need mending:", *lines)))


@dataclass(frozen=True)
class Setting:
    """How one variable is read.

    The default is a text like a given one, or is derived from the settings read so far. Without
    a default the value of an absent variable is None. A secret may come from a file.
    """

    parse: Callable[[str], object]
    cure: str
    default: str | Callable[[Mapping[str, Any]], object] | None = None
    is_required: bool = False
    is_secret: bool = False


class Reading(NamedTuple):
    """The values of a group by field name, those that are present, and what is wrong."""

    values: dict[str, Any]
    given: frozenset[str]
    problems: list[Problem]


def list_settings(group: type) -> dict[str, Setting]:
    """Return the fields of a class that are annotated with a `Setting`, bases first."""
    hints = get_type_hints(group, include_extras=True)
    return {
        name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")
    }


def read_settings(group: type, environ: Mapping[str, str]) -> Reading:
    """Read every setting of a class; a field `public_url` is the variable `PUBLIC_URL`."""
    values: dict[str, Any] = {}
    given: set[str] = set()
    problems: list[Problem] = []
    settings = list_settings(group)
    for field, setting in settings.items():
        name = field.upper()
        try:
            text = _find_text(name, setting, environ)
            if text is not None:
                given.add(field)
                values[field] = setting.parse(text)
            elif setting.is_required:
                problems.append(Problem(name, "missing", setting.cure))
            else:
                default = setting.default
                values[field] = setting.parse(default) if isinstance(default, str) else None
        except InvalidValueError as error:
            given.add(field)
            problems.append(Problem(name, str(error), setting.cure))
    if not problems:
        for field, setting in settings.items():
            if field not in given and callable(setting.default):
                values[field] = setting.default(values)
    return Reading(values, frozenset(given), problems)


def _find_text(name: str, setting: Setting, environ: Mapping[str, str]) -> str | None:
    text = environ.get(name, "").strip()
    path = environ.get(f"{name}_FILE", "").strip()
    if path and setting.is_secret:
        if text:
            raise InvalidValueError(f"set, and {name}_FILE too")
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InvalidValueError(f"{name}_FILE cannot be read") from error
        if not text:
            raise InvalidValueError(f"{name}_FILE names an empty file")
    if not text.isprintable():
        raise InvalidValueError("contains characters that cannot be printed")
    return text or None
