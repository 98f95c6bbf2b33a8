"""The wheel carries everything that the service needs at run time."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from local.databases import PROJECT
from tests.settings.environment import make_environ

PROJECT_FILE: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
SHIPPED: list[str] = PROJECT_FILE["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
VERSION: str = PROJECT_FILE["project"]["version"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages with the wheel unpacked in it."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(  # noqa: S603
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    wheel.unlink()
    return folder


def run(site: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an empty folder; the unpacked wheel goes before the checkout."""
    empty = site / "empty"
    empty.mkdir(exist_ok=True)
    return subprocess.run(  # noqa: S603
        [sys.executable, *arguments],
        cwd=empty,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(site), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_wheel_holds_every_file_of_the_packages(site: Path) -> None:
    expected = {
        path.relative_to(PROJECT)
        for name in SHIPPED
        for path in [PROJECT / name, *(PROJECT / name).rglob("*")]
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}

    assert expected <= shipped
    assert {Path("api/templates/confirm.html"), Path("api/dashboard/page.html")} <= shipped


def test_installed_service_knows_its_version(site: Path) -> None:
    found = run(site, "-m", "cli", "--version")

    assert found.stdout == f"callsync, version {VERSION}\n"


def test_installed_service_finds_its_settings_in_order(site: Path) -> None:
    found = run(site, "-m", "cli", "doctor", "--offline", **make_environ())

    assert found.returncode == 0, found.stdout + found.stderr


def test_installed_service_is_tried_and_not_the_checkout(site: Path) -> None:
    found = run(site, "-c", "import api.app, worker.rounds.sync; print(api.app.__file__)")

    assert found.stdout.strip() == str(site / "api" / "app.py")


def test_installed_celery_commands_need_the_broker_alone(site: Path) -> None:
    broker = "redis://:hunter2@127.0.0.1:1/0"

    found = run(site, "-m", "celery", "-A", "worker.app", "report", BROKER_URL=broker)

    assert found.returncode == 0, found.stderr
    assert (
        "callsync.sync_connection"
        in run(
            site, "-c", "import worker.app; print(list(worker.app.app.tasks))", BROKER_URL=broker
        ).stdout
    )
    assert "hunter2" not in found.stdout
