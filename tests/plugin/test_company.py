"""Whoever else sits in a user's pytest does its work, and we do ours: one at a time, and all of them at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project, Ran

#: By the names that pytest knows them by.
ALL = ("inline_snapshot", "randomly", "recording", "rerunfailures", "syrupy", "timeout")
LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
#: Without those that our own tests have all the time.
ALONE = (*LEAN, "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:xdist")
XDIST = (*LEAN, "-p", "no:asyncio", "-p", "no:anyio")

OURS = """
@pytest.mark.wfreplay
def test_ours():
    assert step.run("work", live, input=GIVEN) == GIVEN
"""


def round_trip(project: Project, text: str, *args: str, lean: tuple[str, ...] = ALONE, company: tuple[str, ...] = (), prelude: str = "") -> Ran:
    """Record, replay, and break on purpose what is below `GIVEN`; the replay that went well is what is given."""
    head = f"{prelude}\nGIVEN = {{}}\n"
    project.write(text=head.format(1) + text + OURS)
    ran = project.record(*args, lean=lean, company=company)
    assert ran.code == 0, ran.text
    assert ", 0 diverged, 0 unused cassettes" in ran.summary
    assert project.was_live
    good = project.replay(*args, lean=lean, company=company)
    assert good.code == 0, good.text
    assert good.summary == f"wfreplay: {_recorded(ran)} replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live
    kept = {name: project.cassette(name).read_bytes() for name in project.cassettes}

    project.write(text=head.format(2) + text + OURS)
    bad = project.replay(*args, lean=lean, company=company)
    assert bad.code == 1, bad.text
    assert re.search("test_ours FAILED|FAILED test_it.py::test_ours", bad.text)
    told = bad.told("test_ours")
    assert told[0] == "StepInputMismatchError: step work was given another input than recorded"
    assert any(line.startswith("record again: pytest --record ") for line in told)
    assert ", 0 recorded," in bad.summary
    assert ", 0 diverged," not in bad.summary
    assert not project.was_live
    assert {name: project.cassette(name).read_bytes() for name in project.cassettes} == kept
    project.write(text=head.format(1) + text + OURS)
    return good


def _recorded(ran: Ran) -> str:
    return re.findall(r"(\d+) recorded", ran.summary)[0]


ASYNC = """
import asyncio
{imports}
flow = create_workflow("shop")
AGENTS = {{"clerk": flow.agent(prompt="Go", activate_on=["workflow:start"], updates="said")}}

@{fixture}
async def greeted():
    done = await flow.run_reactive(agents=AGENTS, state={{"said": ""}}, harness=ScriptedHarness(["hello"]))
    yield done.state["said"]

{mark}
@pytest.mark.wfreplay
async def test_async(greeted):
    assert greeted == "hello"
    async with asyncio.TaskGroup() as group:
        one = group.create_task(step.run("one", live_soon, input=1))
        two = group.create_task(asyncio.to_thread(step.run, "two", live, input=2))
    assert (one.result(), two.result()) == (1, 2)

async def live_soon(given):
    await asyncio.sleep(0)
    return live(given)
"""


@pytest.mark.parametrize(
    ("mode", "imports", "fixture", "mark"),
    [
        ("auto", "", "pytest.fixture", ""),
        ("strict", "import pytest_asyncio", "pytest_asyncio.fixture", "@pytest.mark.asyncio"),
    ],
)
def test_pytest_asyncio(project: Project, mode: str, imports: str, fixture: str, mark: str) -> None:
    project.ini(f"asyncio_mode = {mode}\nasyncio_default_fixture_loop_scope = function\n")
    text = ASYNC.format(imports=imports, fixture=fixture, mark=mark)
    ran = round_trip(project, text, lean=(*LEAN, "-p", "no:anyio", "-p", "no:xdist"))
    assert ran.outcomes == {"test_async": "passed", "test_ours": "passed"}
    text = project.cassette("test_it/test_async.yaml").read_text()
    assert re.findall("- step: (.*)", text) == ["one", "two", "clerk#1/harness"]


def test_anyio(project: Project) -> None:
    backend = "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    text = ASYNC.format(imports=backend, fixture="pytest.fixture", mark="@pytest.mark.anyio")
    ran = round_trip(project, text, lean=(*LEAN, "-p", "no:asyncio", "-p", "no:xdist"))
    assert ran.outcomes == {"test_async": "passed", "test_ours": "passed"}
    assert "- step: clerk#1/harness" in project.cassette("test_it/test_async.yaml").read_text()


MANY = """
@pytest.mark.wfreplay
@pytest.mark.parametrize("at", range(8))
def test_many(at):
    assert step.run("work", live, input=at) == at
"""


def test_pytest_xdist(project: Project) -> None:
    ran = round_trip(project, MANY, "-n", "2", lean=XDIST)
    assert ran.summary == "wfreplay: 9 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert "[gw1]" in ran.text


RANDOM = """
import random
drawn = random.random()

@pytest.mark.wfreplay
@pytest.mark.parametrize("at", range(8))
def test_many(at):
    # the seed of a test is always the same: what it draws is an input that does not change
    assert step.run("work", live, input={"at": at, "drawn": random.random()})["at"] == at
"""


def test_pytest_randomly(project: Project) -> None:
    first = round_trip(project, RANDOM, "--randomly-seed=7", company=("randomly",))
    assert "Using --randomly-seed=7" in first.text
    order = re.findall(r"test_many\[(\d)\] PASSED", first.text)
    assert sorted(order) == [str(at) for at in range(8)]
    assert order != sorted(order)
    other = project.replay("--randomly-seed=8", company=("randomly",))
    assert other.summary == "wfreplay: 1 replayed, 0 recorded, 8 diverged, 0 unused cassettes", "another seed is another input"


def test_pytest_randomly_in_another_order_every_time(project: Project) -> None:
    project.write(text="GIVEN = 1\n" + MANY + OURS)
    assert project.record(company=("randomly",)).code == 0
    kept = {name: project.cassette(name).read_bytes() for name in project.cassettes}
    for args in (["--randomly-seed=1"], ["--randomly-seed=2"], ["-n", "2", "--randomly-seed=3"]):
        ran = project.replay(*args, lean=XDIST, company=("randomly",))
        assert ran.summary == "wfreplay: 9 replayed, 0 recorded, 0 diverged, 0 unused cassettes", ran.text
    assert project.record("--randomly-seed=4", company=("randomly",)).code == 0
    assert {name: project.cassette(name).read_bytes() for name in project.cassettes} == kept


FLAKY = """
TRIES = Path(__file__).with_name("TRIES")

def attempt(name):
    file = TRIES.with_name(f"TRIES-{name}")
    number = len(file.read_text()) + 1 if file.exists() else 1
    file.write_text("x" * number)
    return number

@pytest.mark.wfreplay
def test_flaky():
    number = attempt("flaky")
    step.run("work", live, input="always")
    assert number > 1

@pytest.mark.wfreplay
def test_flaky_input():
    step.run("work", live, input=min(attempt("input"), LAST))
    assert Path(__file__).with_name("TRIES-input").read_text() != "x"

@pytest.fixture(scope="module")
def flaky_fixture():
    number = attempt("fixture")
    made = step.run("make", live, input="always")
    assert number > 1
    return made

@pytest.mark.wfreplay
def test_flaky_fixture(flaky_fixture):
    step.run("work", live, input=flaky_fixture)
"""


def forget_tries(project: Project) -> None:
    for path in project.path.glob("TRIES*"):
        path.unlink()


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_pytest_rerunfailures(project: Project, workers: tuple[str, ...]) -> None:
    lean = XDIST if workers else ALONE
    project.write(text="LAST = 2\n" + FLAKY)
    ran = project.record("--reruns=2", *workers, lean=lean, company=("rerunfailures",))
    assert ran.code == 0, ran.text
    assert len(re.findall(r" RERUN|RERUN ", ran.text)) >= 3
    assert "3 passed, 3 rerun" in ran.text
    assert ran.summary == "wfreplay: 0 replayed, 3 recorded, 0 diverged, 0 unused cassettes"
    tests = ["test_it/test_flaky.yaml", "test_it/test_flaky_fixture.yaml", "test_it/test_flaky_input.yaml"]
    assert project.cassettes == ["test_it/fixture.flaky_fixture.yaml", *tests]
    assert "input: 2" in project.cassette("test_it/test_flaky_input.yaml").read_text()

    # a replay whose first attempt diverges and whose second does not
    forget_tries(project)
    ran = project.replay("--reruns=2", *workers, lean=lean, company=("rerunfailures",))
    assert ran.code == 0, ran.text
    assert "3 passed, 3 rerun" in ran.text
    assert ran.summary == "wfreplay: 3 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live

    # one that never agrees is counted once
    project.write(text="LAST = 1\n" + FLAKY)
    ran = project.replay("--reruns=2", *workers, lean=lean, company=("rerunfailures",))
    assert ran.code == 1
    assert "1 failed, 2 passed, 2 rerun" in ran.text
    assert ran.summary == "wfreplay: 2 replayed, 0 recorded, 1 diverged, 0 unused cassettes"
    assert ran.told("test_flaky_input")[0] == "StepInputMismatchError: step work was given another input than recorded"
    assert not project.was_live


def test_pytest_rerunfailures_keeps_what_failed_every_time_beside(project: Project) -> None:
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    step.run('work', live)\n    assert False\n")
    ran = project.record("--reruns=2", company=("rerunfailures",))
    assert "1 failed, 2 rerun" in ran.text
    assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert project.cassettes == ["test_it/test_it.failed.yaml"]


SLOW = """
import time

@pytest.mark.wfreplay
def test_slow():
    step.run("work", live, input=1)
    time.sleep(WAIT)
    step.run("more", live, input=2)

@pytest.mark.asyncio
@pytest.mark.wfreplay
async def test_slow_async():
    await step.run("work", soon, input=1)
    await asyncio.sleep(WAIT)

async def soon(given):
    return live(given)
"""


@pytest.mark.parametrize("mode", [[], ["--record"]])
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_pytest_timeout(project: Project, method: str, mode: list[str]) -> None:
    project.ini("asyncio_default_fixture_loop_scope = function\n")
    lean = (*LEAN, "-p", "no:anyio", "-p", "no:xdist")
    project.write(text="WAIT = 0\n" + SLOW)
    assert project.record("--timeout=20", f"--timeout-method={method}", lean=lean, company=("timeout",)).code == 0
    assert project.replay("--timeout=20", f"--timeout-method={method}", lean=lean, company=("timeout",)).code == 0
    kept = {name: project.cassette(name).read_bytes() for name in project.cassettes}
    project.write(text="WAIT = 30\n" + SLOW)
    ran = project.run(*mode, "--timeout=1", f"--timeout-method={method}", lean=lean, company=("timeout",))
    assert ran.code == 1, ran.text
    assert "Timeout" in ran.text
    assert {name: project.cassette(name).read_bytes() for name in kept} == kept
    if method == "signal":
        assert ran.outcomes == {"test_slow": "failed", "test_slow_async": "failed"}
        beside = ["test_it/test_slow.failed.yaml", "test_it/test_slow_async.failed.yaml"] if mode else []
        assert [name for name in project.cassettes if name not in kept] == beside
        assert "wfreplay: 0 replayed, 0 recorded, " in ran.summary
    project.write(text="WAIT = 0\n" + SLOW)
    again = project.replay("--timeout=20", lean=lean, company=("timeout",))
    assert again.code == 0, again.text
    assert "wfreplay: 2 replayed, 0 recorded, 0 diverged" in again.summary


VCR = """
import http.server, threading, urllib.request

@pytest.fixture
def server():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"hello from the server"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *args):
            pass
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1] if OPEN.exists() else 9
        server.shutdown()
        thread.join()

OPEN = Path(__file__).with_name("OPEN")

@pytest.fixture(scope="module")
def vcr_config():
    return {"match_on": ["method", "path"]}

@pytest.fixture(scope="module")
def vcr_cassette_dir():
    return str(Path(__file__).with_name("vcr"))

@pytest.mark.vcr
@pytest.mark.wfreplay
def test_both(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server}/hello") as answer:
        text = answer.read().decode()
    assert step.run("shout", lambda text: live(text.upper()), input=text) == "HELLO FROM THE SERVER"
"""


def test_pytest_recording(project: Project) -> None:
    project.write(text="GIVEN = 1\n" + VCR + OURS)
    (project.path / "OPEN").touch()
    ran = project.record("--record-mode=once", company=("recording",))
    assert ran.code == 0, ran.text
    assert "hello from the server" in (project.path / "vcr/test_both.yaml").read_text()
    assert "shout" in project.cassette("test_it/test_both.yaml").read_text()
    (project.path / "OPEN").unlink()
    ran = round_trip_after(project, "--block-network", company=("recording",))
    assert ran.outcomes == {"test_both": "passed", "test_ours": "passed"}
    # each has an option of its own, and one is a beginning of the other
    assert "unrecognized arguments" not in project.run("--record", "--record-mode=none", company=("recording",)).text
    ran = project.run("--record-mode=none", company=("recording",))
    assert ran.summary == "wfreplay: 2 replayed, 0 recorded, 0 diverged, 0 unused cassettes"


def round_trip_after(project: Project, *args: str, company: tuple[str, ...]) -> Ran:
    ran = project.replay(*args, company=company)
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 2 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live
    return ran


def test_a_cassette_of_vcr_in_the_place_of_ours_is_not_overwritten(project: Project) -> None:
    project.write(text="GIVEN = 1\n" + OURS)
    path = project.cassette("test_it/test_ours.yaml")
    path.parent.mkdir(parents=True)
    path.write_text("interactions:\n- request: {}\n  response: {}\nversion: 1\n")
    kept = path.read_bytes()
    for ran in (project.replay(), project.record()):
        assert ran.outcomes == {"test_ours": "failed"}
        assert ran.told("test_ours") == [
            "CassetteUnreadable: cassettes/test_it/test_ours.yaml: it is a cassette of VCR.py, not one of ours",
            "hint: Let it or ours lie elsewhere: the fixture vcr_cassette_dir, or ini wfreplay_cassette_dir.",
        ]
        assert path.read_bytes() == kept


def test_a_test_at_the_root_that_both_record_under_one_name_keeps_the_one_that_was_there_first(project: Project) -> None:
    start, end = VCR.index('@pytest.fixture(scope="module")\ndef vcr_cassette_dir'), VCR.index("@pytest.mark.vcr")
    project.write(text=VCR[:start] + VCR[end:])
    (project.path / "OPEN").touch()
    ran = project.record("--record-mode=once", company=("recording",))
    assert "CassetteUnreadable: cassettes/test_it/test_both.yaml: it is a cassette of VCR.py, not one of ours" in ran.text
    assert "hello from the server" in project.cassette("test_it/test_both.yaml").read_text()
    assert "0 recorded" in ran.summary


SYRUPY = """
@pytest.mark.wfreplay
def test_snapshot(snapshot, wfreplay):
    async def body(ctx):
        return {"answer": await ctx.step("ask", live, {"of": "life"})}
    assert wfreplay.run(create_workflow("deep").run(body)) == snapshot
"""


def test_syrupy(project: Project) -> None:
    project.write(text="GIVEN = 1\n" + SYRUPY + OURS)
    ran = project.record("--snapshot-update", company=("syrupy",))
    assert ran.code == 0, ran.text
    assert "1 snapshot generated" in ran.text
    ran = round_trip(project, SYRUPY, company=("syrupy",))
    assert "1 snapshot passed" in ran.text
    project.write(text="GIVEN = 1\n" + SYRUPY.replace(") == snapshot", ")['answer'] == snapshot") + OURS)
    ran = project.replay(company=("syrupy",))
    assert ran.outcomes["test_snapshot"] == "failed"
    assert "1 snapshot failed" in ran.text


INLINE = """
from inline_snapshot import snapshot

@pytest.mark.wfreplay
def test_inline(wfreplay):
    async def body(ctx):
        return {"answer": await ctx.step("ask", live, {"of": "life"})}
    assert wfreplay.run(create_workflow("deep").run(body)) == snapshot(SNAPSHOT)
    assert [run.metadata.workflow for run in wfreplay.recordings] == snapshot(["deep"])
"""


def test_inline_snapshot(project: Project) -> None:
    path = project.write(text="GIVEN = 1\n" + INLINE.replace("SNAPSHOT", "") + OURS)
    ran = project.record("--inline-snapshot=create", company=("inline_snapshot",))
    assert "snapshot({'answer': {'of': 'life'}})" in path.read_text().replace('"', "'")
    # it fails a test whose value it has just made, and a failed test's recording stays beside
    assert "you can ignore this message" in ran.text
    assert ran.summary == "wfreplay: 0 replayed, 1 recorded, 0 diverged, 0 unused cassettes"
    assert project.cassettes == ["test_it/test_inline.failed.yaml", "test_it/test_ours.yaml"]
    assert project.record(company=("inline_snapshot",)).code == 0
    assert project.cassettes == ["test_it/test_inline.yaml", "test_it/test_ours.yaml"]
    # a cassette that is there answers while the value is made
    project.write(text="GIVEN = 1\n" + INLINE.replace("SNAPSHOT", "") + OURS)
    ran = project.replay("--inline-snapshot=create", company=("inline_snapshot",))
    assert "snapshot({'answer': {'of': 'life'}})" in path.read_text().replace('"', "'")
    assert not project.was_live
    round_trip(project, INLINE.replace("SNAPSHOT", '{"answer": {"of": "life"}}'), company=("inline_snapshot",))
    project.write(text="GIVEN = 1\n" + INLINE.replace("SNAPSHOT", '{"answer": {"of": "death"}}') + OURS)
    ran = project.replay(company=("inline_snapshot",))
    assert "test_it.py::test_inline FAILED" in ran.text


def test_all_of_them_at_once(project: Project) -> None:
    project.ini("asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")
    own = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--tape", action="store_true")

@pytest.fixture(scope="session")
def catalogue():
    return "things"
"""
    project.write("conftest.py", own, prelude="")
    text = ASYNC.format(imports="", fixture="pytest.fixture", mark="") + MANY + SYRUPY + INLINE.replace("SNAPSHOT", '{"answer": {"of": "life"}}')
    project.write(text="GIVEN = 1\n" + text + OURS)
    ran = project.record("--snapshot-update", lean=LEAN, company=ALL)
    assert "1 snapshot generated" in ran.text, ran.text
    args = ("--timeout=60", "--reruns=1", "--block-network", "--record-mode=none", "--randomly-seed=5")
    ran = round_trip(project, text, *args, lean=LEAN, company=ALL)
    assert ran.summary == "wfreplay: 12 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert "1 snapshot passed" in ran.text
    ran = project.replay(*args, "-n", "2", lean=LEAN, company=ALL)
    assert ran.code == 0, ran.text
    assert ran.summary == "wfreplay: 12 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
    assert not project.was_live
