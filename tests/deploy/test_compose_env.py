"""`callsync init` writes an `.env` with which every process starts."""

import re
import stat
from collections.abc import Callable
from pathlib import Path

import click.testing
import pytest
import yaml

from cli import main
from local.databases import PROJECT
from shared.configuration.settings import GROUPS, ApiSettings, DatabaseSettings, find_problems

Init = Callable[..., click.testing.Result]


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """Runs `callsync init` in a folder that has the example and nothing else."""
    (tmp_path / ".env.example").write_text((PROJECT / ".env.example").read_text())
    monkeypatch.chdir(tmp_path)

    def run(*options: str) -> click.testing.Result:
        return click.testing.CliRunner().invoke(main, ["init", *options])

    return run


def read(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.+)$", text, re.MULTILINE))


def test_sandbox_settings_are_accepted_by_every_process(init: Init) -> None:
    environ = read(init("--sandbox", "--stdout").stdout)

    for group in GROUPS:
        group.load(environ)
    DatabaseSettings.load({"DATABASE_URL": environ["DATABASE_OWNER_URL"]})
    assert ApiSettings.load(environ).hubspot_api_url == "http://sandbox:8765"


def test_settings_for_hubspot_lack_only_what_hubspot_gives(init: Init) -> None:
    environ = read(init("--stdout").stdout)

    problems = [problem.name for problem in find_problems(environ)]
    assert problems == ["HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET"]
    assert "COMPOSE_PROFILES" not in environ


def test_every_variable_that_compose_requires_is_given(init: Init) -> None:
    environ = read(init("--sandbox", "--stdout").stdout)

    required = re.findall(r"\$\{([A-Z_]+):\?", (PROJECT / "docker-compose.yml").read_text())
    assert set(required) <= environ.keys()


def test_servers_are_given_the_passwords_that_the_addresses_hold(init: Init) -> None:
    environ = read(init("--sandbox", "--stdout").stdout)
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]

    owner, service = environ["POSTGRES_OWNER_PASSWORD"], environ["POSTGRES_SERVICE_PASSWORD"]
    assert f"//callsync:{owner}@postgres:" in environ["DATABASE_OWNER_URL"]
    assert f"//callsync_service:{service}@postgres:" in environ["DATABASE_URL"]
    assert not any(
        environ["POSTGRES_PASSWORD"] in environ[name] for name in environ if "URL" in name
    )
    assert f":{environ['REDIS_PASSWORD']}@redis:" in environ["REDIS_URL"]
    assert {"postgres", "redis", "sandbox"} <= services.keys()


def test_no_two_deployments_share_a_secret(init: Init) -> None:
    one, other = (read(init("--sandbox", "--stdout").stdout) for _ in range(2))

    shared = {name for name in one if one[name] == other[name]}
    assert shared == {"PUBLIC_URL", "HUBSPOT_API_URL", "HUBSPOT_APP_URL", "COMPOSE_PROFILES"}


def test_file_is_for_its_owner_only(init: Init, tmp_path: Path) -> None:
    assert init("--sandbox").exit_code == 0

    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_secrets_in_use_are_not_overwritten(init: Init, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN_ENCRYPTION_KEYS=in-use\n")

    result = init("--sandbox")

    assert result.exit_code == 1
    assert "its secrets are in use" in result.stderr
    assert (tmp_path / ".env").read_text() == "TOKEN_ENCRYPTION_KEYS=in-use\n"


def test_elsewhere_than_in_the_checkout_the_cure_is_named(init: Init, tmp_path: Path) -> None:
    (tmp_path / ".env.example").unlink()

    assert "run this in the checkout" in init().stderr
