"""Following a call that grows without losing what people wrote: the next body of an activity.

A body is made of blocks (facts, summary, recording, details, transcript) and the last line it is
known by. What HubSpot shows is compared with what was written last. If nobody has touched it, the
whole body is replaced. Otherwise only what is new is added, above the last line, and nothing that a
person removed comes back.
"""

import hashlib
import html
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from shared.activities.text import utf16_units

# As `render_note`: HubSpot takes fewer than 65,536 characters.
MAX_BODY_UNITS: Final = 64_000
MAX_ADDITIONS: Final = 3
HASH_BYTES: Final = 12

# Blanks that are none to `str.split`.
_ZERO_WIDTH: Final = "\u200b\u200c\u200d\u2060\ufeff"
# Attributes may hold `>` in quotes. Possessive, so that no text takes long.
_ATTRIBUTES: Final = r"""(?:[^<>"']++|"[^"]*+"|'[^']*+')*+"""
_TAG: Final = re.compile(rf"<[/!]?[a-z]{_ATTRIBUTES}>", re.IGNORECASE)
_LINK_TAG: Final = re.compile(rf"<(?:a|img)\b{_ATTRIBUTES}>", re.IGNORECASE)
_TARGET: Final = re.compile(
    r"""\s(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE
)
# The words that our last line begins with, and what stands between them and the tag of that line.
_MARKER: Final = re.compile(r"Call(?:&nbsp;|[\s\u200b\ufeff])+ID:")
_LINE_TAG: Final = re.compile(r"<(?:p|div|h[1-6]|li|br)\b[^<>]*>", re.IGNORECASE)
_INVISIBLE: Final = re.compile(r"(?:<[a-z][^<>]*>|&nbsp;|[\s\u200b\ufeff])*", re.IGNORECASE)
_MOST_BEFORE_MARKER: Final = 1000
# A block of ours: a paragraph, with a list behind it or without; none within another, so that
# no text takes long. Without possessive repetitions, by which Python 3.11.2 does not find them all.
_BLOCK: Final = re.compile(
    r"(<p\b[^<>]*>[^<]*(?:<(?!/?p\b)[^<]*)*</p>)"
    r"(?:\s*<ul\b[^<>]*>[^<]*(?:<(?!/?ul\b)[^<]*)*</ul>)?",
    re.IGNORECASE,
)


class CannotUpdateError(Exception):
    """The activity cannot follow the call any more; the message says what a person can do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What is remembered of the body that was written last: hashes, no contents.

    Attributes:
        bodies: Hashes of the body as it was sent and as HubSpot gave it back, raw and canonical.
            Empty once a person's text is among ours: such a body is never replaced as a whole.
        blocks: The hash of each block as it was last written, by name.
        additions: How often a block was added to an edited body, by name.
        older: Hashes of what a block was before, by name, where that may still stand in the body.
        doubted: Hashes of what was sent as a block, by name, while no answer says that it arrived.
        properties: What of a Call's properties, by name: see `planning.Hashes`.
    """

    bodies: frozenset[str] = frozenset()
    blocks: Mapping[str, str] = field(default_factory=dict)
    additions: Mapping[str, int] = field(default_factory=dict)
    older: Mapping[str, frozenset[str]] = field(default_factory=dict)
    doubted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    properties: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of_whole(cls, blocks: Mapping[str, str], last_line: str, echoed: str | None = None) -> Self:
        """What to remember of a body that is ours from the first to the last character."""
        seen = {name: canonical(block) for name, block in blocks.items()}
        parts = [*seen.values(), canonical(last_line)]
        text = unicodedata.normalize("NFC", "".join(part for part, _ in parts))
        targets = frozenset().union(*(each for _, each in parts))
        sent = "".join(blocks.values()) + last_line
        bodies = {_hash_raw(sent), _hash_seen(text, targets)}
        if echoed is not None and echoed != sent:
            bodies.update(_hashes(echoed))
        return cls(
            bodies=frozenset(bodies),
            blocks={name: _hash_seen(*each) for name, each in seen.items()},
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            bodies=frozenset(stored.get("bodies", ())),
            blocks=stored.get("blocks", {}),
            additions=stored.get("additions", {}),
            older=_to_sets(stored.get("older", {})),
            doubted=_to_sets(stored.get("doubted", {})),
            properties=stored.get("properties", {}),
        )

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "bodies": sorted(self.bodies),
            "blocks": dict(self.blocks),
            "additions": dict(self.additions),
            "older": {name: sorted(each) for name, each in self.older.items()},
            "doubted": {name: sorted(each) for name, each in self.doubted.items()},
            "properties": {name: list(each) for name, each in self.properties.items()},
        }

    def without_older(self, name: str, *, now: str | None) -> Self:
        """The same after every text of a block but that of `now` was taken out of the body."""
        return replace(
            self,
            blocks={
                each: hash_ for each, hash_ in self.blocks.items() if each != name or hash_ == now
            },
            older={each: hashes for each, hashes in self.older.items() if each != name},
            doubted={each: hashes for each, hashes in self.doubted.items() if each != name},
        )

    def foresee(self, edit: "Edit") -> Self:
        """What to remember from when an edit may be sent until its answer is there.

        Either body may be found then, and is ours; either text of a block may have to be withdrawn.
        """
        sent = edit.footprint
        return replace(
            self,
            bodies=self.bodies | sent.bodies,
            older=_join(self.older, sent.older),
            doubted=_join(
                self.doubted,
                {
                    name: frozenset({each})
                    for name, each in sent.blocks.items()
                    if each != self.blocks.get(name)
                },
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What to do with an activity's body.

    Attributes:
        body: What to send; None if what is there says everything already.
        is_whole: It replaces the whole body, which nobody else has touched.
        added: The blocks that were added to an edited body.
        footprint: What to remember once it is there. After a whole replacement `confirm` adds what
            HubSpot gave back.
    """

    body: str | None
    is_whole: bool
    added: tuple[str, ...] = ()
    footprint: Footprint

    def confirm(self, echoed: str | None) -> Footprint:
        """What to remember, now that HubSpot has given the body back as `echoed`."""
        if not self.is_whole or echoed is None:
            return self.footprint
        return replace(self.footprint, bodies=self.footprint.bodies | frozenset(_hashes(echoed)))


def plan_edit(
    current: str,
    blocks: Mapping[str, str],
    last_line: str,
    footprint: Footprint | None,
    *,
    withdrawn: Collection[str] = (),
) -> Edit:
    """Decide what becomes of a body that HubSpot shows now.

    Args:
        current: The body as it was just read.
        blocks: The blocks of the call as it is known now, as HTML by name, in their order.
        last_line: The line that the activity is known by, as HTML.
        footprint: What is remembered of the body written last; None if nothing is.
        withdrawn: Names of blocks whose content must not be kept.

    Raises:
        CannotUpdateError: It would become too long, has been added to too often, or holds something
            withdrawn that cannot be found exactly.
    """
    whole = "".join(blocks.values()) + last_line
    if canonical(current) == canonical(whole):
        remembered = Footprint.of_whole(blocks, last_line, current)
        return Edit(body=None, is_whole=True, footprint=remembered)
    if footprint is not None and not footprint.bodies.isdisjoint(_hashes(current)):
        return Edit(body=whole, is_whole=True, footprint=Footprint.of_whole(blocks, last_line))
    remaining = current
    hashes = _hash_blocks(blocks)
    for name in withdrawn:
        remaining = _remove(remaining, name, footprint, now=hashes.get(name))
        footprint = footprint and footprint.without_older(name, now=hashes.get(name))
    edit = _add(remaining, blocks, footprint or Footprint())
    return replace(edit, body=remaining) if edit.body is None and remaining != current else edit


def _add(current: str, blocks: Mapping[str, str], footprint: Footprint) -> Edit:
    """Add to an edited body what is new."""
    hashes = _hash_blocks(blocks)
    shown, links = canonical(current)
    added = []
    for name, block in blocks.items():
        if hashes[name] == footprint.blocks.get(name):
            continue
        text, targets = canonical(block)
        if text not in shown or not targets <= links:
            added.append(name)
    additions = dict(footprint.additions)
    for name in added:
        additions[name] = additions.get(name, 0) + 1
        if additions[name] > MAX_ADDITIONS:
            raise CannotUpdateError(
                f"Somebody edits this entry, and its {name} was added {MAX_ADDITIONS} times"
                " already. Look at the call's details here, and complete the entry by hand."
            )
    body = _insert(current, "".join(blocks[name] for name in added))
    if added and utf16_units(body) > MAX_BODY_UNITS:
        raise CannotUpdateError(
            "Somebody has edited this entry, and with what came later it would be longer than"
            f" {MAX_BODY_UNITS:,} characters. Shorten it in HubSpot and retry."
        )
    return Edit(
        body=None if body == current else body,
        is_whole=False,
        added=tuple(added),
        footprint=Footprint(
            blocks=hashes,
            additions=additions,
            older=_join(
                footprint.older,
                footprint.doubted,
                {
                    name: frozenset({each})
                    for name, each in footprint.blocks.items()
                    if hashes.get(name) != each
                },
            ),
        ),
    )


def _insert(body: str, addition: str) -> str:
    """Put an addition above our last line; at the end if a person has removed that."""
    place = _find_last_line(body)
    return body[:place] + addition + body[place:]


def _find_last_line(body: str) -> int:
    """Where the element, or the line within one, begins that holds our last line."""
    markers = list(_MARKER.finditer(body))
    if not markers:
        return len(body)
    end = markers[-1].start()
    start = max(0, end - _MOST_BEFORE_MARKER)
    tags = list(_LINE_TAG.finditer(body, start, end))
    if tags and _INVISIBLE.fullmatch(body, tags[-1].end(), end):
        return tags[-1].start()
    return len(body)


def _remove(body: str, name: str, footprint: Footprint | None, *, now: str | None) -> str:
    """Take every text of a withdrawn block out of an edited body, wherever it stands.

    What the block is `now` may stay: it was written since the withdrawal.
    """
    if footprint is not None:
        last = footprint.blocks.get(name)
        doubted = footprint.doubted.get(name, frozenset())
        older = footprint.older.get(name, frozenset())
        remaining, removed = _cut_out(body, (doubted | older | {last}) - {now, None})
        # One of them was written last; unless none was, it has to be there.
        if last in {now, None} or removed & (doubted | {last}):
            return remaining
    raise CannotUpdateError(
        f"The {name} was withdrawn, but somebody has edited this entry and it is not found in it"
        " word for word. Delete it in HubSpot by hand."
    )


def _cut_out(body: str, wanted: Collection[str | None]) -> tuple[str, set[str]]:
    """A body without blocks of these hashes, and the hashes of those that were there."""
    kept = []
    removed = set()
    end = 0
    for found in _BLOCK.finditer(body):
        for block in (found[0], found[1]):
            hash_ = _hash_seen(*canonical(block))
            if hash_ in wanted:
                kept.append(body[end : found.start()])
                end = found.start() + len(block)
                removed.add(hash_)
                break
    return "".join((*kept, body[end:])), removed


def _join(*parts: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    joined: dict[str, frozenset[str]] = {}
    for part in parts:
        for name, hashes in part.items():
            joined[name] = joined.get(name, frozenset()) | hashes
    return joined


def _to_sets(stored: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(each) for name, each in stored.items()}


def canonical(body: str) -> tuple[str, frozenset[str]]:
    """What people see of a body: its text without any blanks, and where its links and images lead.

    HubSpot may change tags, attributes, entities and white space; it changes none of this.
    """
    targets = {
        html.unescape(value[1] or value[2] or value[3] or "").strip()
        for tag in _LINK_TAG.findall(body)
        for value in _TARGET.finditer(tag)
    }
    text = "".join(html.unescape(_TAG.sub("", body)).split())
    for character in _ZERO_WIDTH:
        text = text.replace(character, "")
    return unicodedata.normalize("NFC", text), frozenset(targets)


def _hashes(body: str) -> tuple[str, str]:
    """The hash of a body as it is, and of what people see of it."""
    return _hash_raw(body), _hash_seen(*canonical(body))


def _hash_blocks(blocks: Mapping[str, str]) -> dict[str, str]:
    return {name: _hash_seen(*canonical(block)) for name, block in blocks.items()}


def _hash_raw(body: str) -> str:
    return _hash(f"raw\0{body}")


def _hash_seen(text: str, targets: frozenset[str]) -> str:
    return _hash("\0".join(("seen", text, *sorted(targets))))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[: 2 * HASH_BYTES]
