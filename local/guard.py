"""Run a command that ends when its starter does, even if the starter was killed by SIGKILL.

    python -I -S guard.py [--account UID:GID] [--signal NUMBER] [--remove DIRECTORY] -- COMMAND…

Standard input must be a pipe whose other end only the starter holds. A watcher, forked off to
one side, waits on it: a byte means that the starter lets go; the end of the file means that the
starter is gone, and the command's process group is ended and the directory removed. The command
itself takes the place of this process, so its pid and its exit status are what the starter sees.

Standard library and POSIX only: it runs before anything else, and macOS has no prctl.
"""

import argparse
import os
import shutil
import signal
import time

GRACE_SECONDS = 2.0
POLL_SECONDS = 0.05


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--account", type=lambda text: tuple(map(int, text.split(":"))))
    parser.add_argument("--signal", type=int, default=signal.SIGTERM)
    parser.add_argument("--remove")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    group = os.getpgrp()
    helper = os.fork()
    if helper == 0:
        # A second fork makes the watcher init's child: a command that counts its children,
        # such as Postgres, must not find one it does not know.
        if os.fork() == 0:
            os.setsid()
            watch(group, options.signal, options.remove)
        os._exit(0)
    os.waitpid(helper, 0)

    redirect_to_null(0)
    if options.account:
        user, primary_group = options.account
        os.setgroups([])
        os.setgid(primary_group)
        os.setuid(user)
    os.execvp(options.command[0], options.command)  # noqa: S606 - no shell is the point


def watch(group: int, stop_signal: int, directory: str | None) -> None:
    """Wait until the starter lets go or dies; in the second case clear up after it."""
    redirect_to_null(1)
    redirect_to_null(2)
    if os.read(0, 1):
        return
    if send(group, stop_signal):
        send(group, signal.SIGCONT)
        deadline = time.monotonic() + GRACE_SECONDS
        while send(group, 0) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        send(group, signal.SIGKILL)
    if directory:
        shutil.rmtree(directory, ignore_errors=True)


def send(group: int, signal_number: int) -> bool:
    """Signal a process group; False when nobody is left in it."""
    try:
        os.killpg(group, signal_number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS, when only zombies are left
        return False
    return True


def redirect_to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor)
    os.close(null)


if __name__ == "__main__":
    main()
