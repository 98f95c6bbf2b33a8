"""The forge runs what everybody runs, and nothing that can be exchanged behind its name."""

import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from local.databases import PROJECT

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))


def read(name: str) -> dict[str, Any]:
    workflow: dict[str, Any] = yaml.safe_load(
        (PROJECT / ".github" / "workflows" / name).read_text()
    )
    return workflow


def test_every_action_is_pinned_to_a_commit() -> None:
    used = [
        line.partition("uses: ")[2]
        for path in WORKFLOWS
        for line in path.read_text().splitlines()
        if "uses: " in line and "uses: ./" not in line
    ]

    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_no_job_may_write_unless_it_says_so() -> None:
    assert read("ci.yml")["permissions"] == {"contents": "read"}
    assert read("release.yml")["permissions"] == {}


def test_forge_runs_what_everybody_runs() -> None:
    steps = read("ci.yml")["jobs"]["test"]["steps"]

    assert steps[-1] == {"run": ".ci/run"}
    assert (PROJECT / ".ci" / "run").is_file()


def test_nothing_is_released_that_was_not_tested() -> None:
    jobs = read("release.yml")["jobs"]

    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["packages"]["needs"] == "test"
    assert set(jobs["attest"]["needs"]) == {"packages", "images"}
    assert set(jobs["publish"]["needs"]) == {"packages", "attest"}


def test_what_may_sign_runs_neither_our_code_nor_what_it_depends_on() -> None:
    signing = [
        job
        for job in read("release.yml")["jobs"].values()
        if job.get("permissions", {}).get("id-token") == "write"
    ]

    assert len(signing) == 1
    for step in signing[0]["steps"]:
        assert "run" not in step
        assert step["uses"].split("@")[0] in {
            "actions/download-artifact",
            "docker/login-action",
            "actions/attest-build-provenance",
        }


def test_somebody_has_to_agree_before_anything_is_published() -> None:
    jobs = read("release.yml")["jobs"]
    writing = {
        name for name, job in jobs.items() if "write" in (job.get("permissions") or {}).values()
    }

    assert writing == {"images", "attest", "publish"}
    assert all(jobs[name]["environment"] == "release" for name in writing)


def test_tools_of_a_release_are_pinned_with_hashes() -> None:
    lock = (PROJECT / "deploy" / "tools-requirements.lock").read_text()

    for tool in ("cyclonedx-bom", "pip-audit"):
        assert re.search(rf"^{tool}==\S+ \\\n +--hash=sha256:", lock, re.MULTILINE)
    for script in ("Makefile", ".ci/audit", ".github/workflows/release.yml"):
        assert "tool run" not in (PROJECT / script).read_text()


def test_dependencies_are_audited_every_week_and_silence_is_a_failure() -> None:
    workflow = read("audit.yml")

    # YAML takes the word on for true.
    assert workflow[True]["schedule"]  # type: ignore[index]
    assert workflow["jobs"]["audit"]["steps"][-1] == {"run": ".ci/audit --must-answer"}


def test_no_image_is_pushed_under_a_version_that_the_project_does_not_have() -> None:
    jobs = read("release.yml")["jobs"]
    scripts = " ".join(step.get("run", "") for step in jobs["packages"]["steps"])

    assert jobs["images"]["needs"] == "packages"
    assert 'test "$GITHUB_REF_NAME" = "v$version"' in scripts


def test_forge_tries_the_oldest_python_and_the_image_s() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    image = re.findall(r"^FROM python:(3\.\d+)", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    tried = read("ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert set(tried) == {project["requires-python"].removeprefix(">="), *image}


def test_release_notes_are_the_changelog_s_section() -> None:
    found = notes("Unreleased")
    changelog = (PROJECT / "CHANGELOG.md").read_text()

    assert found.returncode == 0
    assert found.stdout.strip() == re.split(r"^## .*\n", changelog, flags=re.MULTILINE)[1].strip()


@pytest.mark.parametrize("version", ["9.9.9", "Unreleas"])
def test_release_without_notes_fails(version: str) -> None:
    assert notes(version).returncode == 1


def notes(version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [PROJECT / "deploy" / "release-notes", version],
        capture_output=True,
        text=True,
        check=False,
    )
