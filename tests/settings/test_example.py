import re
from pathlib import Path

from shared.configuration.environment import list_settings
from shared.configuration.settings import GROUPS, find_problems

EXAMPLE = Path(__file__).parents[2].joinpath(".env.example").read_text()
# What follows is Docker Compose's; tests/deploy looks at it.
OWN_PART = EXAMPLE.partition("## Docker Compose")[0]
SETTINGS = {name: each for group in GROUPS for name, each in list_settings(group).items()}


def read_example() -> dict[str, tuple[str, bool]]:
    """Return each variable's text, and whether it is commented out."""
    entries = re.findall(r"^(# )?([A-Z][A-Z_]+)=(.*)$", OWN_PART, re.MULTILINE)
    return {name: (text, bool(mark)) for mark, name, text in entries}


def test_example_names_every_setting_once_and_nothing_else() -> None:
    lines = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", OWN_PART, re.MULTILINE)
    assert sorted(lines) == sorted(name.upper() for name in SETTINGS)


def test_example_shows_the_real_defaults() -> None:
    shown = {
        name.lower(): text for name, (text, is_comment) in read_example().items() if is_comment
    }
    for name, text in shown.items():
        default = SETTINGS[name].default
        assert text == (default if isinstance(default, str) else "")


def test_example_filled_in_lacks_only_the_secrets_one_has_to_make() -> None:
    environ = {name: text for name, (text, is_comment) in read_example().items() if not is_comment}
    assert sorted(problem.name for problem in find_problems(environ)) == [
        "HUBSPOT_CLIENT_ID",
        "HUBSPOT_CLIENT_SECRET",
        "JWT_SECRET or JWT_JWKS_URL",
        "TOKEN_ENCRYPTION_KEYS",
        "WEBHOOK_SECRETS",
    ]
