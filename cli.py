"""`callsync …`: what people do with the service from a terminal; each command has its module."""

import sys

import click

from commands.audit import audit
from commands.backfill import import_calls
from commands.doctor import doctor
from commands.erase import erase
from commands.init import init
from commands.retry import retry
from commands.rotation import rotate_keys
from commands.send import send
from commands.source import source
from commands.stack import demo, up
from commands.token import token
from commands.trouble import trouble
from shared.version import own_version


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(own_version(), prog_name="callsync")
def main() -> None:
    """Write every finished phone call onto the caller's HubSpot timeline, exactly once.

    Settings come from environment variables; `callsync doctor` says what is wrong with them.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no “✓” shows a question mark instead of a traceback.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]


for command in (
    init,
    up,
    demo,
    send,
    source,
    import_calls,
    token,
    retry,
    erase,
    audit,
    rotate_keys,
    doctor,
    trouble,
):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="callsync")
