"""Where an engine lives: a temporary directory, owned by the user that it runs as."""

import os
import pwd
import shutil
import tempfile
from pathlib import Path

from local.processes import Account, StartError

OPEN_FOLDER = 0o001
OPEN_FILE = 0o005


class Home:
    """A private temporary directory, and the unprivileged account that owns it if we are root.

    Raises StartError when we are root and the system has no user `nobody`.
    """

    def __init__(self, name: str) -> None:
        self.account = unprivileged_account()
        parent = Path(tempfile.gettempdir()).resolve()
        if self.account and not is_reachable(parent):
            parent = Path("/tmp").resolve()  # noqa: S108 - the directory made in it is private
        self.path = Path(tempfile.mkdtemp(prefix=f"callsync-{name}-", dir=parent))
        self._give(self.path)

    def write(self, name: str, text: str) -> Path:
        """A file that only the account can read."""
        path = self.path / name
        path.touch(mode=0o600)
        path.write_text(text)
        self._give(path)
        return path

    def readable(self, root: Path, *names: str) -> Path:
        """`root`, or a copy of it with only `names`, where the account can run programs from."""
        if self.account is None or (is_reachable(root) and is_open(root / names[0])):
            return root
        copy = self.path / "programs"
        for name in names:
            source = root / name
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "*.a"))
            else:
                shutil.copy2(source, target)
        for path in (copy, *copy.rglob("*")):
            self._give(path)
        return copy

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.user, self.account.group)


def unprivileged_account() -> Account | None:
    """Who engines run as: `nobody` if we are root, which Postgres refuses, else ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "Postgres refuses to run as root and there is no user `nobody` to run it as: "
            "use another user, or set DATABASE_URL and REDIS_URL to servers of your own."
        ) from None
    return Account(user=entry.pw_uid, group=entry.pw_gid)


def is_reachable(folder: Path) -> bool:
    """Whether every user may pass through a folder and all of its parents."""
    return all(path.stat().st_mode & OPEN_FOLDER for path in (folder, *folder.parents))


def is_open(path: Path) -> bool:
    """Whether every user may read a file or list a folder, and run or enter it."""
    return path.stat().st_mode & OPEN_FILE == OPEN_FILE
