"""A secret never reaches the disk: whatever holds it, whoever says it, however it is spelled."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from pytest_wfreplay import FileSignalStore, RecordingOptions, SecretLeakError, create_workflow

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


LEAKING = """
import os

@pytest.mark.wfreplay
def test_leak(wfreplay):
    step.run("log-in", live, input={"user": os.environ["USER_NAME"]})
"""


def test_a_hook_that_puts_a_secret_back_is_cleaned_after(project, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    monkeypatch.setenv("USER_NAME", "ada")
    project.write(text=LEAKING)
    hook = "return replace(recording, entries=tuple(replace(one, input=[os.environ['MY_SERVICE_TOKEN']]) for one in recording.entries))"
    project.write(
        "conftest.py", f"import os\nfrom dataclasses import replace\ndef pytest_wfreplay_before_record(recording):\n    {hook}\n", prelude=""
    )
    assert project.record().code == 0
    assert found_in(project.path / "cassettes", SECRET) == []
    assert 'input: ["[redacted]"]' in project.cassette("test_it/test_leak.yaml").read_text()


def test_a_known_secret_that_would_be_written_is_refused_by_its_place_and_the_old_cassette_stays(project, monkeypatch):
    monkeypatch.setenv("USER_NAME", "ada")
    project.write(text=LEAKING)
    assert project.record().code == 0
    before = project.cassette("test_it/test_leak.yaml").read_bytes()
    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    # A hook that changes the recording in place, behind everybody's back.
    hook = "recording.entries[0].input['user'] = os.environ['MY_SERVICE_TOKEN']"
    project.write("conftest.py", f"import os\ndef pytest_wfreplay_before_record(recording):\n    {hook}\n", prelude="")
    ran = project.record()
    assert ran.code == 1
    assert "SecretLeakError: " in ran.text
    assert "1 failed in" in ran.text
    assert "a known secret would stand in it, at line 8, steps[log-in].input. Nothing was written." in ran.text
    assert found_in(project.path / "cassettes", SECRET) == []
    assert project.cassette("test_it/test_leak.yaml").read_bytes() == before


def test_a_redactor_cannot_bring_a_secret_back(project, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    project.write(
        text="""
import os

@pytest.mark.wfreplay
def test_brought_back(wfreplay):
    wfreplay.add_redactor(lambda text: text.replace("redacted", os.environ["MY_SERVICE_TOKEN"]).replace("it", os.environ["MY_SERVICE_TOKEN"]))
    step.run("use", live, input=[os.environ["MY_SERVICE_TOKEN"], "it"])
"""
    )
    assert project.record().code == 0
    assert found_in(project.path, SECRET) == []


PATHS = """
import os

@pytest.mark.wfreplay(redact=["steps[log-in].output.pin"])
def test_paths(wfreplay):
    wfreplay.add_redactor("signals[noted].payload.who")
    async def body(ctx):
        await ctx.step("log-in", lambda given: {"pin": live(os.environ["PIN"]), "user": "ada"}, {"door": os.environ["PIN"], "side": "left"})
        ctx.emit("noted", {"who": os.environ["PIN"], "what": "seen"})
    wfreplay.run(create_workflow("doors").run(body))

@pytest.mark.wfreplay
def test_state(wfreplay):
    flow = create_workflow("stateful")
    talker = flow.agent(prompt="Talk", activate_on=["workflow:start"], updates="said")
    wfreplay.run(flow.run_reactive(agents={"talker": talker}, state={"pin": {"now": os.environ["PIN"]}, "said": None},
        harness=ScriptedHarness([os.environ["PIN"] + "!"]) if wfreplay.mode == "rewrite" else None))
"""


def test_what_stands_at_a_path_is_hidden_and_another_value_replays(project, monkeypatch):
    paths = ["steps[log-in].input[*].door", "state.pin", "steps[talker].output", "state.said", "signals[*:complete*].payload", "signals[text:*]"]
    project.ini("\n    ".join(["wfreplay_redact =", *paths]))
    project.write(text=PATHS)
    monkeypatch.setenv("PIN", "47")
    recorded = project.record()
    assert recorded.code == 0, recorded.text
    text = project.cassette("test_it/test_paths.yaml").read_text()
    assert '{"door": "[redacted]", "side": "left"}' in text
    assert 'output: {"pin": "[redacted]", "user": "ada"}' in text
    assert '{"who": "[redacted]", "what": "seen"}' in text
    assert 'initial: {"pin": "[redacted]", "said": "[redacted]"}' in project.cassette("test_it/test_state.yaml").read_text()
    assert '"47' not in text + project.cassette("test_it/test_state.yaml").read_text()
    monkeypatch.setenv("PIN", "11")
    replayed = project.replay()
    assert replayed.code == 0, replayed.text
    assert not project.was_live


@pytest.mark.parametrize("path", ["steps[log-in].inptu.door", "state.", "signal[x].payload", "steps[a].input..b"])
def test_a_path_that_is_none_is_a_usage_error(project, path):
    project.ini(f"wfreplay_redact = {path}")
    project.write(text=LEAKING)
    ran = project.run()
    assert ran.code == 4
    assert f"ini wfreplay_redact: Not a path to redact: '{path}" in ran.text


def test_two_secret_parameters_have_two_cassettes(project, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "first-of-them")
    monkeypatch.setenv("MY_OTHER_TOKEN", "second-of-them")
    project.write(
        text="""
@pytest.mark.wfreplay
@pytest.mark.parametrize("value", ["first-of-them", "plain", "second-of-them"])
def test_each(value):
    step.run("use", live, input=value)
"""
    )
    assert project.record().code == 0
    assert project.cassettes == ["test_it/test_each[[redacted]=1].yaml", "test_it/test_each[[redacted]=3].yaml", "test_it/test_each[plain].yaml"]
    assert "of-them" not in "".join(path.read_text() for path in (project.path / "cassettes").rglob("*.yaml"))
    assert project.replay().code == 0


def test_a_recording_outside_tests_holds_no_secret_of_the_environment_and_replays(tmp_path, monkeypatch):
    store = FileSignalStore(tmp_path)

    async def body(ctx):
        ctx.emit(f"said:{SECRET}", {"it": SECRET})
        return await ctx.step(f"use {SECRET}", lambda given: [given], SECRET)

    async def ran(mode: str) -> object:
        options = RecordingOptions(mode, store, name=f"named {SECRET}", tags=[SECRET])
        return await create_workflow(f"flow {SECRET}").run(body, recording=options)

    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    assert asyncio.run(ran("record")) == [SECRET]
    assert found_in(tmp_path, SECRET) == []
    assert asyncio.run(ran("replay")) == ["[redacted]"]


def test_what_the_environment_learns_while_something_records_outside_tests_is_not_kept_either(tmp_path, monkeypatch):
    store = FileSignalStore(tmp_path)

    async def body(ctx):
        ctx.emit("said", {"early": SECRET})
        await ctx.step("use", lambda given: given, SECRET)
        monkeypatch.setenv("MY_LATE_TOKEN", SECRET)
        ctx.emit(f"said:{SECRET}", {"it": SECRET})
        return await ctx.step("use", lambda given: [given], SECRET)

    assert asyncio.run(create_workflow("late").run(body, recording=RecordingOptions("record", store))) == [SECRET]
    assert found_in(tmp_path, SECRET) == []
    assert len(list(tmp_path.iterdir())) == 1, "what was streamed is gone"


def test_a_store_of_files_looks_once_more_for_what_a_recording_outside_tests_must_not_hold(tmp_path, monkeypatch):
    class Planting(FileSignalStore):
        async def save(self, recording):
            return await super().save(replace(recording, final_state={"planted": SECRET}))

    async def body(ctx):
        return await ctx.step("use", lambda given: given, 1)

    monkeypatch.setenv("MY_SERVICE_TOKEN", SECRET)
    with pytest.raises(SecretLeakError, match=r"a known secret would stand in it, at line \d+, state\.final"):
        asyncio.run(create_workflow("leaky").run(body, recording=RecordingOptions("record", Planting(tmp_path))))
    assert list(tmp_path.iterdir()) == []


def test_a_partial_recording_is_cleaned_when_the_environment_learns_a_secret(project):
    project.write(
        text="""
import os

@pytest.mark.wfreplay
def test_learns(monkeypatch):
    step.run("early", live, input="a-late-secret")
    monkeypatch.setenv("MY_LATE_TOKEN", "a-late-secret")
    assert "a-late-secret" in next(Path("cassettes").rglob("*.partial")).read_text()
    step.run("later", live, input="nothing")
    text = next(Path("cassettes").rglob("*.partial")).read_text()
    assert "a-late-secret" not in text and '"early"' in text and '"later"' in text
"""
    )
    ran = project.record()
    assert "SecretLeakError" in ran.text, "a replay would not know it in the first step"
    assert found_in(project.path / "cassettes", "a-late-secret") == []


LEARNT = """
import os

@pytest.fixture
def account(monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "set-in-a-fixture")
    return os.environ["SHOP_TOKEN"]

@pytest.mark.wfreplay
def test_fixture(account):
    assert step.run("use", lambda given: f"<{given}>", input=account) in ("<set-in-a-fixture>", "<[redacted]>")

@pytest.mark.wfreplay
def test_within(monkeypatch):
    step.run("before", lambda: 1)
    with monkeypatch.context() as patch:
        patch.setenv("SHOP_TOKEN", "set-for-a-while")
        token = os.environ["SHOP_TOKEN"]
    step.run(f"use {token}", lambda given: {given["token"]: given}, input={"token": token})

@pytest.mark.wfreplay
@pytest.mark.parametrize("token", ["set-on-import"])
def test_imported(token):
    step.run("use", lambda given: given, input=token)

@pytest.fixture(scope="module")
def shop():
    os.environ["SHOP_PASSWORD"] = "set-for-a-module"
    yield step.run("open", lambda given: given, input="set-for-a-module")
    del os.environ["SHOP_PASSWORD"]

@pytest.mark.wfreplay
def test_shop(shop):
    step.run("use", lambda given: given, input="set-for-a-module")
"""


def test_what_the_environment_learns_while_tests_are_imported_and_run_is_secret_from_then_on(project, monkeypatch):
    project.write(text='import os\nos.environ["IMPORTED_KEY"] = "set-on-import"\n' + LEARNT)
    ran = project.record("--wfreplay-json=report.json")
    assert (ran.code, project.cassettes[0]) == (0, "test_it/fixture.shop.yaml"), ran.text
    assert [path for path in project.path.rglob("*") if path.is_file() and path.suffix in (".yaml", ".json") and "set-" in path.read_text()] == []
    assert not [name for name in project.cassettes if "set-" in name]
    assert project.replay().code == 0


LATE = """
@pytest.mark.wfreplay
def test_rule(wfreplay):
    step.run("early", lambda given: f"<{given}>", input="customer-47")
    wfreplay.add_redactor(r"customer-\\d+")
    step.run("late", lambda given: f"<{given}>", input="customer-47")
    end()

@pytest.mark.wfreplay
def test_variable(monkeypatch):
    step.run("early", lambda given: f"<{given}>", input="customer-48")
    monkeypatch.setenv("SHOP_TOKEN", "customer-48")
    end()
"""


def test_what_was_recorded_before_a_rule_or_a_variable_came_is_refused_and_does_not_stay_anywhere(project):
    project.write(text="def end(): pass\n" + LATE)
    ran = project.record()
    told = "cassettes/test_it/test_rule.yaml: steps[early] was recorded before the rule came that takes something out of it. Nothing was written."
    assert (ran.code, told in ran.text) == (1, True), ran.text
    assert "Call wfreplay.add_redactor(...) before the first step, or give the rule as redact= of the marker" in ran.text
    assert " cassettes/test_it/test_variable.yaml: a known secret would stand in it, at line 8, steps[early].input. Nothing was written." in ran.text
    assert [path for path in (project.path / "cassettes").rglob("*") if path.is_file()] == []


def test_the_recording_of_a_failed_test_is_cleaned_by_rules_that_came_late(project):
    project.write(text="def end(): assert 0\n" + LATE)
    assert project.record().code == 1
    kept = (project.path / "cassettes/test_it/test_rule.failed.yaml").read_text()
    assert ("customer-" in kept, kept.count('output: "<[redacted]>"')) == (False, 2)
    kept = (project.path / "cassettes/test_it/test_variable.failed.yaml").read_text()
    assert ("customer-" in kept, kept.count('output: "<[redacted]>"')) == (False, 1)


def test_a_recording_that_is_killed_holds_nothing_that_a_late_rule_takes_out(project):
    project.write(text="import os, signal\ndef end(): os.kill(os.getpid(), signal.SIGKILL)\n" + LATE)
    project.record("-k", "rule")
    kept = (project.path / "cassettes/test_it/test_rule.partial").read_text()
    assert ("customer-" in kept, kept.count('{"value": "<[redacted]>"}')) == (False, 2)


def test_the_name_of_a_fixtures_cassette_holds_no_secret(project, monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "first-of-them")
    monkeypatch.setenv("MY_OTHER_TOKEN", "second-of-them")
    project.write(
        text="""
@pytest.fixture(scope="module", params=["first-of-them", "plain", "second-of-them"])
def shop(request):
    return step.run("open", live, input=request.param)

@pytest.mark.wfreplay
def test_each(shop):
    step.run("use", live)
"""
    )
    assert project.record().code == 0
    fixtures = ["test_it/fixture.shop[[redacted]=1].yaml", "test_it/fixture.shop[[redacted]=3].yaml", "test_it/fixture.shop[plain].yaml"]
    assert [name for name in project.cassettes if "fixture" in name] == fixtures
    assert (project.replay().code, project.replay("--wfreplay-unused=fail").code) == (0, 0)
