"""What the `wfreplay` fixture gives a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from conftest import Project

TESTS = """
import os
import datetime as dt

flow = create_workflow("flow")
AGENTS = {"one": flow.agent(prompt="hi", activate_on=["workflow:start"], updates="said")}

def run_of(said="yo"):
    return flow.run_reactive(agents=AGENTS, state={"said": ""}, harness=ScriptedHarness([said]))

def test_run(wfreplay):
    async def main():
        return (await run_of()).state["said"]

    assert wfreplay.run(run_of()).state["said"] == "yo"
    assert wfreplay.run(main) == "yo"
    assert wfreplay.run(main()) == "yo"
    assert wfreplay.run(lambda: step.run("work", live, input=1)) == 1
    assert [recording.metadata.workflow for recording in wfreplay.recordings] == [None, "flow", "flow", "flow"]
    assert wfreplay.recordings[1].signals == wfreplay.recordings[2].signals

def test_run_inside_a_loop(wfreplay):
    async def main():
        step.run("work", live)
        wfreplay.run(run_of())

    with pytest.raises(ConfigurationError, match="an event loop is running") as raised:
        asyncio.run(main())
    assert raised.value.hint == "Await the workflow in this test."

def test_facts(wfreplay):
    assert wfreplay.mode in ("none", "rewrite")
    assert wfreplay.cassette == Path(__file__).parent / "cassettes" / "test_it" / "test_facts.yaml"
    seen = Path(__file__).with_name("NOW")
    now = wfreplay.now()
    assert now.tzinfo is dt.timezone.utc
    if wfreplay.mode == "rewrite":
        seen.write_text(now.isoformat())
    assert now.isoformat() == seen.read_text()

def test_redacts(wfreplay):
    wfreplay.add_redactor("agent-[0-9]+")
    wfreplay.add_redactor(lambda text: text.replace("Miller", "M."))
    wfreplay.add_redactor("loud", replacement="***")
    given = f"agent-{os.getpid()} Miller loud {os.environ['SHOP_TOKEN']} {os.environ['OTHER_SECRET_KEY']}"
    assert step.run("work", live, input=given) in (given, "[redacted] M. *** [redacted] from-ini")

def test_ignores(wfreplay):
    wfreplay.ignore("steps[work].input.pid", "steps[work].output.pid")
    step.run("work", live, input={"pid": os.getpid(), "same": 1})

def test_refuses(wfreplay):
    step.run("work", live)
    with pytest.raises(ConfigurationError, match="Not a path to ignore"):
        wfreplay.ignore("nonsense")
    with pytest.raises(ConfigurationError, match="Not a regular expression"):
        wfreplay.add_redactor("[a-")

def test_leaves_traces(wfreplay):
    step.run("work", live, input={"api_key": "sk-ant-abcdefgh12345678", "text": os.environ["SHOP_TOKEN"]})
    assert not Path(__file__).with_name("FAIL").exists()
"""


def test_the_fixture(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"SHOP_TOKEN": "hunter2hunter2", "OTHER_SECRET_KEY": "ini-secret-0815"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    project.ini("wfreplay_redact = from-[a-z]+\n")
    project.write(text=TESTS.replace("from-ini", "[redacted]"))
    (project.path / "FAIL").touch()
    ran = project.record()
    assert {name for name, outcome in ran.outcomes.items() if outcome != "passed"} == {"test_leaves_traces"}, ran.text
    assert "test_it/test_leaves_traces.failed.yaml" in project.cassettes
    (project.path / "FAIL").unlink()
    ran = project.record("test_it.py::test_leaves_traces")
    assert ran.code == 0
    kept = "".join(project.cassette(name).read_text() for name in project.cassettes)
    assert not [word for word in (*secrets.values(), "sk-ant", "Miller", "agent-", "loud") if word in kept]

    monkeypatch.setenv("SHOP_TOKEN", "another-secret-of-tomorrow")
    ran = project.replay()
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 7 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live


CRASH = """
import os

@pytest.mark.wfreplay
def test_crashes():
    step.run("work", live, input="hunter2hunter2 said")
    os._exit(3)
"""


def test_a_recording_that_crashes_leaves_what_it_heard_without_secrets(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter2hunter2")
    project.write(text=CRASH)
    project.record()
    assert project.cassettes == ["test_it/test_crashes.partial"]
    heard = project.cassette("test_it/test_crashes.partial").read_text()
    assert "[redacted] said" in heard
    assert "hunter2" not in heard
    project.write(text=CRASH.replace("os._exit(3)", ""))
    assert project.record().code == 0
    assert project.cassettes == ["test_it/test_crashes.yaml"]
