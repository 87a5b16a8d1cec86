"""What a test compares, and what its report says of it, as people see it."""

from __future__ import annotations

import json
import subprocess
import sys

#: What these tests do not need.
LEAN = "-p no:cacheprovider -p no:hypothesispytest -p no:asyncio -p no:anyio -p no:xdist"

VOLATILE = """
import datetime, random, uuid

def fetch(given):
    return {"echo": given["id"], "order": str(uuid.uuid4())}

@pytest.mark.wfreplay
def test_volatile(wfreplay, tmp_path):
    mine = str(uuid.uuid4())
    reply = step.run("fetch", fetch, input={
        "id": mine, "at": datetime.datetime.now(datetime.timezone.utc).isoformat(), "file": str(tmp_path / "a.txt"),
        "url": f"http://localhost:{random.randint(1024, 60000)}/"})
    assert reply["echo"] == mine
    step.run("pay", live, input=[mine, reply["order"]])
"""


def test_volatile_values_get_steady_names_where_the_ini_asks_for_it(project) -> None:
    project.ini("wfreplay_normalise = uuid timestamp temp_path port\n")
    path = project.write(text=VOLATILE)
    assert project.record().code == 0
    text = project.cassette("test_it/test_volatile.yaml").read_text()
    assert 'input: {"id": "<uuid-1>", "at": "<timestamp-1>", "file": "<temp_path-1>", "url": "http://localhost:<port-1>/"}' in text
    assert 'output: {"echo": "<uuid-1>", "order": "<uuid-2>"}' in text
    assert 'input: ["<uuid-1>", "<uuid-2>"]' in text
    ran = project.replay()
    assert ran.code == 0, ran.text
    assert not project.was_live
    path.write_text(path.read_text().replace('[mine, reply["order"]]', '[reply["order"], mine]'))
    told = project.replay().told("test_volatile")
    differing = "\n".join(line.strip() for line in told[4:10])
    assert differing == 'input[0]\nrecorded: "<uuid-1>"\nthis run: "<uuid-2>"\ninput[1]\nrecorded: "<uuid-2>"\nthis run: "<uuid-1>"'
    assert "not compared as they are, but by steady names: 1 port, 1 temp_path, 1 timestamp, 1 uuid" in told


def test_without_the_ini_they_are_facts_and_the_fixture_may_name_them(project) -> None:
    path = project.write(text=VOLATILE)
    assert project.record().code == 0
    assert project.replay().code == 1
    path.write_text(path.read_text().replace("mine = ", 'wfreplay.normalise("uuid", "timestamp", "temp_path", "port")\n    mine = '))
    assert project.record().code == 0
    assert "<uuid-1>" in project.cassette("test_it/test_volatile.yaml").read_text()
    assert project.replay().code == 0


def test_secrets_go_first_and_names_come_after(project) -> None:
    project.ini("wfreplay_normalise = uuid\nwfreplay_redact = user-[0-9a-f-]+\n")
    project.write(text='import uuid\n\ndef test_it(wfreplay):\n    step.run("a", live, input=[f"user-{uuid.uuid4()}", str(uuid.uuid4())])\n')
    assert project.record().code == 0
    assert 'input: ["[redacted]", "<uuid-1>"]' in project.cassette("test_it/test_it.yaml").read_text()
    assert project.replay().code == 0


def test_an_unknown_kind_is_a_usage_error(project) -> None:
    project.ini("wfreplay_normalise = uuid dates\n")
    project.write(text='def test_it(wfreplay):\n    step.run("a", live)\n')
    ran = project.run()
    assert ran.code == 4
    assert "ini wfreplay_normalise has 'dates'. It takes port, temp_path, timestamp, uuid." in ran.text


JUDGED = """
import os

@pytest.mark.wfreplay(match="inputs")
def test_judged():
    step.run("ask", live, input={"text": os.environ["TEXT"]})
    step.run("count", live, input=os.environ["COUNT"])
"""

JUDGE = """
def pytest_wfreplay_match(recorded, current):
    assert (recorded.kind, recorded.key) == (current.kind, current.key)
    if recorded.key == "ask":
        return recorded.value["text"].lower() == current.value["text"].lower()
"""


def test_a_project_judges_what_differs_and_that_is_listed(project, monkeypatch) -> None:
    project.write(text=JUDGED)
    project.write("conftest.py", JUDGE, prelude="")
    for text, count, code in (("Hello", "1", 0), ("hello", "1", 0), ("bye", "1", 1), ("hello", "2", 1)):
        monkeypatch.setenv("TEXT", text)
        monkeypatch.setenv("COUNT", count)
        ran = project.replay() if project.cassettes else project.record()
        assert ran.code == code, ran.text
    assert "matched by pytest_wfreplay_match, though different: input of step ask" in ran.told("test_judged")


def test_a_judge_says_true_false_or_nothing(project, monkeypatch) -> None:
    monkeypatch.setenv("TEXT", "Hello")
    monkeypatch.setenv("COUNT", "1")
    project.write(text=JUDGED)
    project.write("conftest.py", "def pytest_wfreplay_match(recorded, current):\n    return 'maybe'\n", prelude="")
    assert project.record().code == 0
    monkeypatch.setenv("TEXT", "Bye")
    ran = project.replay()
    assert ran.code == 1
    assert "pytest_wfreplay_match gives 'maybe' for test_it.py::test_judged." in ran.text


COMMANDS = """
CHANGED = False

@pytest.mark.parametrize("name", ['a "b" $HOME'])
@pytest.mark.wfreplay
def test_step(name):
    step.run("ask", live, input="2" if CHANGED else 2)
    step.run("tell", live)

@pytest.mark.wfreplay
def test_trace(wfreplay):
    async def body(ctx):
        ctx.emit("noted", {"n": 2 if CHANGED else 1})
    wfreplay.run(create_workflow("notes").run(body))

@pytest.mark.wfreplay
def test_order():
    for name in ("ba" if CHANGED else "ab"):
        step.run(name, live)
"""


def test_the_commands_of_a_report_can_be_copied_and_do_what_they_say(project) -> None:
    path = project.write(text=COMMANDS)
    assert project.record().code == 0
    path.write_text(path.read_text().replace("CHANGED = False", "CHANGED = True"))
    ran = project.replay()
    step, trace, order = (ran.told(test) for test in ('test_step[a "b" $HOME]', "test_trace", "test_order"))
    assert [line.partition(":")[0] for line in step[-2:]] == ["record this step again", "record again"]
    for told in (trace, order):
        assert [line.partition(":")[0] for line in told[-2:]] == ["accept it, with the recorded replies", "record again"]
    for line in (step[-2], trace[-2], order[-2]):
        command = line.partition(": pytest ")[2]
        done = subprocess.run(  # noqa: S602 - a shell is what people type into
            f"{sys.executable} -m pytest {LEAN} {command}", shell=True, cwd=project.path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
    assert project.replay().code == 0


def test_a_report_fits_on_one_screen_whatever_differs(project) -> None:
    text = """
CHANGED = False

@pytest.mark.wfreplay
def test_many(wfreplay):
    async def body(ctx):
        for number in range(1000):
            if not CHANGED or number % 2:
                await ctx.step(f"step {'x' * 300} {number}", live, {"prompt": "line of text " * 500, "at": number})
        ctx.emit("noted " * 300, {"n": 1})
    wfreplay.run(create_workflow("w" * 300).run(body))
"""
    path = project.write(text=text)
    assert project.record().code == 0
    path.write_text(path.read_text().replace("CHANGED = False", "CHANGED = True"))
    told = project.replay().told("test_many")
    assert len(told) < 40
    assert max(map(len, told)) < 200
    assert any("a recorded step that never began (499 times)" in line for line in told)


def test_the_same_is_told_as_data(project) -> None:
    text = """
@pytest.mark.wfreplay(ignore=["steps[ask].input.at", "steps[aks].input.at"])
def test_it():
    try:
        step.run("ask", live, input={"at": 1, "n": VALUE})
    except DivergenceError as error:
        import json
        from pathlib import Path
        Path(__file__).with_name("told.json").write_text(json.dumps([one.as_json() for one in error.divergences]))
"""
    path = project.write(text=text.replace("VALUE", "1"))
    assert project.record().code == 0
    path.write_text(path.read_text().replace('"at": 1, "n": 1', '"at": 2, "n": 2'))
    assert project.replay().code == 1
    [told] = json.loads((project.path / "told.json").read_text())
    assert told["kind"] == "input_mismatch"
    assert told["fields"] == [{"path": ".n", "recorded": 1, "current": 2}]
    assert (told["recorded"], told["current"]) == ({"n": 1}, {"n": 2})
    assert told["not_compared"] == [
        "not compared: steps[ask].input.at (hid a difference in 1 place)",
        "ignored in vain: steps[aks].input.at: nothing in the recording or in this run is there. Misspelled?",
    ]
    assert (told["step"], told["position"], told["total"], told["run"]) == ("ask", 1, 1, "the test's own steps")
    assert told["commands"][0].startswith("record this step again: pytest --wfreplay-only=")
