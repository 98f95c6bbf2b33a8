"""Limits on memory like a container's: by a control group where one can be made, else by rlimit."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from tests.local.waiting import wait_for

# What a thread's stack counts for in a process's data, though little of it is ever used.
STACK_BYTES: Final = 2 * 1024 * 1024
_ENTER: Final = f"""
import os, resource, sys
group, data, *command = sys.argv[1:]
if group:
    open(group + "/cgroup.procs", "w").write(str(os.getpid()))
else:
    resource.setrlimit(resource.RLIMIT_STACK, ({STACK_BYTES}, {STACK_BYTES}))
    resource.setrlimit(resource.RLIMIT_DATA, (int(data), int(data)))
os.execv(sys.executable, [sys.executable, "-m", *command])
"""


@dataclass(frozen=True)
class MemoryLimit:
    """A limit on a process and its children; without a group, on each of them.

    Attributes:
        size: Bytes.
        threads: As many as each process may have: their stacks count in an rlimit.
        group: Where the kernel keeps the group, if there is one.
    """

    size: int
    threads: int
    group: Path | None

    def command(self, module: Sequence[str]) -> list[str]:
        """The command that runs a Python module under the limit."""
        data = self.size + self.threads * STACK_BYTES
        return [sys.executable, "-c", _ENTER, str(self.group or ""), str(data), *module]

    def holds(self, pid: int) -> bool:
        """Whether a process is under it."""
        if self.group:
            return str(pid) in (self.group / "cgroup.procs").read_text().split()
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        (data,) = (line for line in limits if line.startswith("Max data size"))
        return data.split()[3] == str(self.size + self.threads * STACK_BYTES)


@contextmanager
def limited(size: int, *, threads: int) -> Iterator[MemoryLimit]:
    """Make a limit for processes that have ended when the block ends."""
    group = _make_group(size)
    yield MemoryLimit(size, threads, group)
    if group:
        wait_for(lambda: _removes(group))


def _make_group(size: int) -> Path | None:
    name = f"callsync-{token_hex(4)}"
    for parent in _parents():
        group = parent / name
        try:
            group.mkdir()
        except OSError:
            continue
        if _sets_limit(group, size):
            return group
        group.rmdir()
    return None


def _parents() -> Iterator[Path]:
    """Where a group may be made: in our own or at the top, by either version of the kernel's."""
    own = {
        controllers: path.lstrip("/")
        for _, controllers, path in (
            line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()
        )
    }
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2":
            names = own.get("", "")
        elif kind == "cgroup" and "memory" in options.split(","):
            names = own.get("memory", "")
        else:
            continue
        yield from dict.fromkeys((Path(place) / names, Path(place)))


def _sets_limit(group: Path, size: int) -> bool:
    with suppress(OSError):  # version 1 has no such file, and needs none
        (group.parent / "cgroup.subtree_control").write_text("+memory")
    # Without swap, if the kernel counts it.
    for limit, swap, most in (
        ("memory.max", "memory.swap.max", 0),
        ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", size),
    ):
        if (group / limit).exists() and os.access(group / "cgroup.procs", os.W_OK):
            with suppress(OSError):
                (group / limit).write_text(str(size))
                with suppress(OSError):
                    (group / swap).write_text(str(most))
                return True
    return False


def _removes(group: Path) -> bool:
    with suppress(OSError):  # whoever has ended is still counted for a moment
        group.rmdir()
    return not group.exists()
