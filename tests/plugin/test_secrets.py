"""A secret never reaches the disk: whatever holds it, whoever says it, however it is spelled."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

#: Made at run time, so that whoever scans this repository finds nothing.
SECRET = 'q7W"x\\Zk' + "é/9%+vP-2mT"
OTHER = SECRET[::-1].replace("\\", "-")

PLANTED = """
import json, os
from urllib.parse import quote

SECRET = os.environ["MY_SERVICE_TOKEN"]
SPELLINGS = [SECRET, json.dumps(SECRET), json.dumps(json.dumps({"a": SECRET})), repr(SECRET), quote(SECRET), quote(SECRET, safe="")]

class Refused(Exception):
    pass

def work(given):
    live()
    return {"given": given, SECRET: SPELLINGS}

def fail(given):
    error = Refused(f"no {SECRET}", {"with": SECRET})
    error.detail = SECRET
    error.add_note(SECRET)
    raise error from ValueError(SECRET)

@pytest.mark.wfreplay
def test_steps():
    step.run(f"charge {SECRET}", work, input={"to": [SECRET], SECRET: 1}, namespace=f"space {SECRET}")
    step.run(f"charge {SECRET}", work, input=None, namespace=f"space {SECRET}")
    with pytest.raises(Refused):
        step.run("fail", fail, input=SECRET)

@pytest.mark.wfreplay
def test_function(wfreplay):
    async def body(ctx):
        ctx.emit(f"said:{SECRET}", {SECRET: SPELLINGS})
        await ctx.step(SECRET, work, SECRET)
        await ctx.step("keyed", work, SECRET, key=f"key:{SECRET}")
        return {"answer": SPELLINGS}
    wfreplay.run(create_workflow(f"flow {SECRET}").run(body))

def speaking():
    cut = len(SECRET) // 2
    return [
        create_signal("thinking:delta", {"content": "I know " + SECRET[:cut]}),
        create_signal("thinking:delta", {"content": SECRET[cut:] + "!"}),
        create_signal("thinking:complete", {"content": f"I know {SECRET}!"}),
        *[create_signal("text:delta", {"content": character}) for character in f"say {SECRET} twice"],
        create_signal("text:complete", {"content": f"say {SECRET} twice"}),
        create_signal("tool:call", {"id": "1", "name": SECRET, "input": {"headers": {"authorization": "Basic YWRhOmh1bnRlcjI="}, "q": SPELLINGS}}),
        create_signal("tool:result", {"id": "1", "name": SECRET, "result": json.dumps({"deep": json.dumps(SECRET)})}),
        create_signal(f"own:{SECRET}", SECRET),
    ]

@pytest.mark.wfreplay
@pytest.mark.parametrize("harness", ["scripted", "function"])
def test_agents(wfreplay, harness):
    flow = create_workflow("agents")
    writer = flow.agent(prompt=f"Use {SECRET}. {{{{ state.ticket }}}}", message=f"with {SECRET}", activate_on=["workflow:start"],
        updates="answer", emits=[f"done:{SECRET}"])
    def keep(state, signal):
        state["password"] = "swordfish"
    made = ScriptedHarness({f"writer {SECRET}": [speaking()]}) if harness == "scripted" else FunctionHarness(
        lambda given: f"say {SECRET} twice")
    made.type = f"harness {SECRET}"
    wfreplay.run(flow.run_reactive(
        agents={f"writer {SECRET}": writer}, reducers={f"done:{SECRET}": keep},
        state={"ticket": SPELLINGS, SECRET: SECRET, "answer": None, "password": None, "db": {"password": "swordfish"}}, harness=made))

@pytest.mark.wfreplay(cassette="shared")
@pytest.mark.parametrize("value", [SECRET], ids=lambda value: f"id {value}")
def test_shared(value):
    step.run("shared", work, input=value)

@pytest.mark.wfreplay
@pytest.mark.parametrize("value", [SECRET], ids=lambda value: f"id {value}")
def test_named(value):
    step.run("named", work, input=value)

@pytest.mark.wfreplay
def test_outside(wfreplay):
    wfreplay.run(flow_fails)

async def flow_fails():
    async def body(ctx):
        await ctx.step("fail", fail, SECRET)
    with pytest.raises(Refused):
        await create_workflow("fails").run(body)
"""


def forms(secret: str) -> set[str]:
    """How a secret may be spelled; a part of it counts, too."""
    spelled = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret),
        quote(secret, safe=""),
        repr(secret)[1:-1],
    }
    spelled |= {json.dumps(one, ensure_ascii=False)[1:-1] for one in spelled}
    return spelled | {base64.b64encode(secret.encode()).decode(), "YWRhOmh1bnRlcjI", "swordfish"}


def found_in(folder: Path, secret: str) -> list[str]:
    """Where below a folder a secret stands: in a file, or in its name."""
    found = []
    for path in folder.rglob("*"):
        text = path.name + (path.read_text("utf-8") if path.is_file() else "")
        found += [f"{path.name}: {form}" for form in forms(secret) if form in text]
    return found


@pytest.fixture
def planted(project, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    project.write(text=PLANTED)
    return project


def test_a_secret_planted_in_every_field_is_nowhere_and_another_value_replays(planted, monkeypatch):
    recorded = planted.record()
    assert recorded.code == 0, recorded.text
    assert len(planted.cassettes) == 7
    assert found_in(planted.path / "cassettes", SECRET) == []
    replayed = planted.replay("--wfreplay-json=report.json")
    assert replayed.code == 0, replayed.text
    assert not planted.was_live
    monkeypatch.setenv("MY_SERVICE_TOKEN", OTHER)
    assert planted.replay().code == 0
    text = (planted.path / "test_it.py").read_text()
    (planted.path / "test_it.py").write_text(text.replace('"Use {SECRET}.', '"Now use {SECRET}.').replace("input=value", 'input=["other", value]'))
    diverged = planted.replay("--wfreplay-json=report.json")
    assert diverged.code == 1
    report = (planted.path / "report.json").read_text()
    assert [form for form in forms(OTHER) if form in report] == []
