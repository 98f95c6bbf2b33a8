"""What people changed in an activity, so that an update which undoes it is seen."""

import dataclasses
import itertools
from collections.abc import Mapping

from sandbox.rich_text import lines_of

Lines = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class LostEdit:
    """What an update of the app did to one version that a person had saved.

    Attributes:
        activity: the kind's name in paths, `notes` or `calls`.
        id: the activity.
        version: the person's version; `edited_ms` is when it was saved.
        texts: what was undone: lines of the body, or values of other properties.
        read_version: the newest version that the app had been shown when it sent the update,
            at `sent_ms`; 0 if it had been shown none.
        applied_ms: when the update took effect.
        was_read: whether the person's version, or a later one, had been shown to the app by then.
    """

    activity: str
    id: str
    version: int
    edited_ms: int
    texts: tuple[str, ...]
    read_version: int
    sent_ms: int
    applied_ms: int
    was_read: bool

    @property
    def age_ms(self) -> int:
        """How long the person's version had been there when the update was sent."""
        return self.sent_ms - self.edited_ms


@dataclasses.dataclass(frozen=True, slots=True)
class Undone:
    """A text or value of a person's version that an update undoes."""

    version: int
    name: str
    text: str


class PeoplesEdits:
    """What of people's changes stands in one activity.

    A line that a person wrote must stay and what a person removed must not come back, be it text,
    the target of a link or an image. Markup does not count. Of several lines removed together two
    that stood one after the other must come back, so that the heading of a new section is no
    return of the old one. A value that a person gave to another property must stay; one that a
    person cleared may be filled.
    """

    def __init__(self, body: str) -> None:
        self._body = body
        self._written: dict[str, int] = {}
        self._removed: dict[tuple[str, ...], int] = {}
        self._values: dict[str, tuple[str, int]] = {}

    def save(self, version: int, before: Mapping[str, str], changes: Mapping[str, str]) -> None:
        """Remember what a person changed in `before`, as this version."""
        for name, value in changes.items():
            if name == self._body:
                self._save_body(version, lines_of(before.get(name, "")), lines_of(value))
            elif not value:
                self._values.pop(name, None)
            elif value != before.get(name, ""):
                self._values[name] = value, version

    def take_undone(self, changes: Mapping[str, str]) -> list[Undone]:
        """Return what an update undoes, and forget it: it is lost once."""
        undone = []
        for name, value in changes.items():
            if name == self._body:
                undone += self._take_undone_lines(value)
            elif name in self._values and self._values[name][0] != value:
                text, version = self._values.pop(name)
                undone.append(Undone(version, name, text))
        return undone

    def _save_body(self, version: int, earlier: Lines, later: Lines) -> None:
        here, gone = _stretches(later), set(earlier) - set(later)
        self._written = {line: n for line, n in self._written.items() if line not in gone}
        self._written |= dict.fromkeys(set(later) - set(earlier), version)
        self._removed = {lines: n for lines, n in self._removed.items() if lines not in here}
        for is_gone, run in itertools.groupby(earlier, gone.__contains__):
            if is_gone:
                lines = tuple(run)
                self._removed |= dict.fromkeys(
                    [lines] if len(lines) == 1 else itertools.pairwise(lines), version
                )

    def _take_undone_lines(self, body: str) -> list[Undone]:
        if not self._written and not self._removed:
            return []
        here = _stretches(lines_of(body))
        lost = [line for line in self._written if (line,) not in here]
        back = [lines for lines in self._removed if lines in here]
        return [Undone(self._written.pop(line), self._body, line) for line in lost] + [
            Undone(self._removed.pop(lines), self._body, f"removed: {' / '.join(lines)}")
            for lines in back
        ]


def _stretches(lines: Lines) -> set[tuple[str, ...]]:
    """Return every line, and every two that stand one after the other."""
    return {(line,) for line in lines} | set(itertools.pairwise(lines))
