"""The lock file and the dependencies that it pins belong together."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]


def test_every_dependency_is_pinned_to_a_version_that_it_allows() -> None:
    pinned = read_pins()
    for text in read_dependencies():
        requirement = Requirement(text)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements.lock: make lock"
        assert requirement.specifier.contains(version), f"{text} excludes {version}: make lock"


def test_every_pin_has_a_hash_and_no_host() -> None:
    text = (PROJECT / "requirements.lock").read_text()
    assert text.count("--hash=sha256:") >= len(read_pins())
    assert "://" not in text


def read_dependencies() -> list[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


def read_pins() -> dict[str, str]:
    """Names to versions."""
    text = (PROJECT / "requirements.lock").read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}
