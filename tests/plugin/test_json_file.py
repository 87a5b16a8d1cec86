"""The session's report for tools: its shape, its place, and no secrets in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")

TESTS = """
ORDER = 3

@pytest.mark.wfreplay
@pytest.mark.parametrize("name", ["a"])
def test_charge(name):
    step.run("charge", live, input={"order": ORDER})

@pytest.mark.wfreplay
def test_other():
    step.run("other", live, input=1)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_every_test_and_every_divergence_is_written(project: Project, workers: tuple[str, ...]) -> None:
    project.write(text=TESTS)
    assert project.record().code == 0
    (project.cassette("test_it/test_gone.yaml")).write_text(project.cassette("test_it/test_other.yaml").read_text())
    project.write(text=TESTS.replace("ORDER = 3", "ORDER = 4"))
    ran = project.replay("--wfreplay-json=reports/ci/out.json", "--wfreplay-max-tokens=5", *workers, lean=XDIST)
    assert ran.code == 1
    content = json.loads((project.path / "reports/ci/out.json").read_text())
    assert list(content) == ["format", "created_at", "mode", "exit_status", "counts", "gates", "unused", "tests"]
    assert (content["format"], content["mode"], content["exit_status"]) == (1, "none", 1)
    others = ("recorded", "verified", "accepted", "live", "failed", "skipped", "interrupted")
    assert content["counts"] == {"tests": 2, "replayed": 1, "diverged": 1, **dict.fromkeys(others, 0)}
    assert content["gates"] == [
        {
            "gate": "--wfreplay-max-tokens",
            "bound": 5.0,
            "verdict": "unmeasured",
            "value": None,
            "found": "no run called a harness",
            "note": "",
            "tests": [],
        }
    ]
    assert content["unused"] == ["cassettes/test_it/test_gone.yaml"]
    charge, other = content["tests"]
    assert other.pop("latency_ms") >= 0
    assert other == {
        "nodeid": "test_it.py::test_other",
        "result": "passed",
        "outcome": "replayed",
        "mode": "none",
        "act": "replay",
        "cassette": "cassettes/test_it/test_other.yaml",
        "runs": 1,
        "steps": 1,
        "harness_calls": 0,
        "told_tokens": 0,
        "tokens": None,
        "told_cost": 0,
        "cost_usd": None,
        "divergences": [],
        "report": [],
    }
    assert (charge["nodeid"], charge["result"], charge["outcome"]) == ("test_it.py::test_charge[a]", "failed", "diverged")
    divergence = charge["divergences"][0]
    assert (divergence["kind"], divergence["step"]) == ("input_mismatch", "charge")
    assert (divergence["recorded"], divergence["current"]) == ({"order": 3}, {"order": 4})
    assert charge["report"][0] == "step charge was given another input than recorded"


def test_no_secret_reaches_the_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "xyzzy-4711-plugh")
    project.ini("wfreplay_redact =\n    plover-[0-9]+\n")
    text = TESTS.replace('"a"', '"xyzzy-4711-plugh", "plover-7"').replace("ORDER = 3", "ORDER = 'plover-8'").replace('"charge", live', "name, live")
    project.write(text=text)
    assert project.record("--wfreplay-json=out.json").code == 0
    project.write(text=text.replace("ORDER = 'plover-8'", "ORDER = 'not plover-9, sk-ant-REDACTED'"))
    ran = project.replay("--wfreplay-json=out.json")
    written = (project.path / "out.json").read_text()
    assert ran.summary.startswith("wfreplay: 1 replayed, 0 recorded, 2 diverged")
    assert not any(secret in written for secret in ("xyzzy", "plover-", "sk-ant"))
    assert '"test_it.py::test_charge[[redacted]]"' in written
    assert '"order": "not [redacted], [redacted]"' in written


def test_a_file_that_cannot_be_written_is_a_usage_error_at_the_start(project: Project) -> None:
    project.write(text=TESTS)
    (project.path / "folder").mkdir()
    (project.path / "file").touch()
    for asked, said in {
        "-": "--wfreplay-json takes the name of a file, not '-'.",
        "": "--wfreplay-json takes the name of a file, not ''.",
        "folder": "--wfreplay-json takes the name of a file, not 'folder'.",
        "file/out.json": "--wfreplay-json=file/out.json cannot be written: ",
    }.items():
        ran = project.run(f"--wfreplay-json={asked}")
        assert (ran.code, f"ERROR: {said}" in ran.text) == (4, True), ran.text


def test_a_file_that_can_no_longer_be_written_fails_the_session_and_says_so(project: Project) -> None:
    project.write(text=TESTS + "\ndef test_last():\n    import shutil\n    shutil.rmtree(Path(__file__).with_name('reports'))\n")
    ran = project.record("--wfreplay-json=reports/out.json")
    assert ran.code == 1
    assert f"wfreplay: --wfreplay-json={project.path}/reports/out.json was not written: [Errno 2]" in ran.text
    assert "3 passed" in ran.text


def test_a_session_without_a_test_of_ours_writes_it_too_and_collecting_does_not(project: Project) -> None:
    project.write(text="def test_plain():\n    pass\n")
    assert project.run("--wfreplay-json=out.json", "--collect-only").code == 0
    assert not (project.path / "out.json").exists()
    assert project.run("--wfreplay-json=out.json").code == 0
    content = json.loads((project.path / "out.json").read_text())
    assert (content["tests"], content["unused"], content["counts"]["tests"]) == ([], None, 0)
    assert not list(project.path.glob("*.tmp"))
