"""Every mode, with a cassette, without one, and after the code or the world has changed: what is done live, what is written, what people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

#: A desk with two agents, one after the other; the world answers as a file says, and the code is as another says.
DESK = """
import json

def said(name, default):
    path = Path(__file__).with_name(name)
    return path.read_text() if path.exists() else default

def answer(given):
    live()
    return said("ANSWER" if "Classify" in given.system else "REPLY", "refund" if "Classify" in given.system else "sorry")

def desk():
    flow = create_workflow("desk")
    prompt = "Classify {{ state.text }}" + said("PROMPT", "")
    classify = flow.agent(prompt=prompt, activate_on=["workflow:start"], updates="kind", emits=["noted"] * bool(said("TRACE", "")) + ["classified"])
    write = flow.agent(prompt="Write about {{ state.text }}", activate_on=["classified"], updates="reply")
    agents = {"classify": classify, "write": write}
    if said("MORE", ""):
        agents["check"] = flow.agent(prompt="Check it", activate_on=["agent:completed"], when=lambda ctx: ctx.signal.payload["agent"] == "write")
    return asyncio.run(flow.run_reactive(agents=agents, state={"text": "hello", "kind": None, "reply": None}, harness=FunctionHarness(answer)))

@pytest.mark.wfreplay
def test_desk(wfreplay):
    assert wfreplay.mode == said("MODE", wfreplay.mode)
    assert desk().state["kind"] == said("EXPECTED", "refund")
"""

CASSETTE = "test_it/test_desk.yaml"
XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
MODES = ["none", "verify", "accept", "once", "new_episodes", "rewrite", "live"]


class World:
    """The project, its cassette as it was, and what has changed since."""

    def __init__(self, project: Project) -> None:
        self.project = project
        project.write(text=DESK)

    def recorded(self) -> World:
        assert self.project.record().code == 0
        self.before = self.text
        return self

    def change(self, **files: str) -> World:
        for name, text in files.items():
            (self.project.path / name).write_text(text)
        return self

    @property
    def text(self) -> str:
        path = self.project.cassette(CASSETTE)
        return path.read_text() if path.exists() else ""

    @property
    def calls(self) -> int:
        live = self.project.path / "LIVE"
        return len(live.read_text()) if live.exists() else 0

    @property
    def changed(self) -> list[tuple[str, str]]:
        """The lines that are others now, where there are as many as before."""
        before, after = self.before.splitlines(), self.text.splitlines()
        assert len(before) == len(after)
        return [(one, other) for one, other in zip(before, after, strict=True) if one != other]


@pytest.fixture
def world(project: Project) -> World:
    return World(project)


@pytest.mark.parametrize("mode", MODES)
def test_with_a_cassette_and_nothing_changed_every_mode_passes_and_leaves_it_untouched(world: World, mode: str) -> None:
    world.recorded().change(MODE=mode)
    ran = world.project.replay(f"--wfreplay={mode}")
    assert ran.outcomes == {"test_desk": "passed"}, ran.text
    assert world.text == world.before
    assert world.calls == {"verify": 2, "rewrite": 2, "live": 2}.get(mode, 0)
    assert world.project.cassettes == [CASSETTE]
    did = "recorded" if mode == "rewrite" else "" if mode in ("verify", "live") else "replayed"
    for word in ("replayed", "recorded", "diverged"):
        assert f"{int(word == did)} {word}" in ran.summary
    assert ran.summary.endswith(", 0 unused cassettes, 1 verified" if mode == "verify" else ", 0 unused cassettes")


@pytest.mark.parametrize("mode", MODES)
def test_without_a_cassette(world: World, mode: str) -> None:
    """The narrow ones refuse, before anything is done live; the wide ones record; `live` keeps nothing."""
    ran = world.project.replay(f"--wfreplay={mode}")
    if mode in ("none", "verify", "accept"):
        assert ran.told("test_desk") == [
            f"CassetteMissing: cassettes/{CASSETTE}: there is no cassette for this test",
            'hint: Record it: pytest --record "test_it.py::test_desk"',
        ]
        assert not world.project.was_live
        assert world.project.cassettes == []
    else:
        assert ran.code == 0
        assert world.calls == 2
        assert world.project.cassettes == ([] if mode == "live" else [CASSETTE])
        if mode != "live":
            assert world.project.replay().outcomes == {"test_desk": "passed"}


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_input(world: World, mode: str) -> None:
    """It fails wherever it is compared, before anything is done live but in `verify`; those that record over it, or look at nothing, go on."""
    world.recorded().change(PROMPT=", please")
    ran = world.project.replay(f"--wfreplay={mode}")
    if mode in ("rewrite", "live"):
        assert ran.code == 0
        assert (world.text != world.before) == (mode == "rewrite")
        return
    told = ran.told("test_desk")
    assert told[0].endswith("agent activation classify#1 was given another input than recorded"), told
    assert 'recorded: "Classify hello"' in told
    assert 'this run: "Classify hello, please"' in told
    assert 'record this step again: pytest --wfreplay-only="classify#1/harness" "test_it.py::test_desk"' in told
    assert told[-1] == 'record again: pytest --record "test_it.py::test_desk"'
    assert ran.summary.startswith("wfreplay: 0 replayed, 0 recorded, 1 diverged")
    assert world.calls == (2 if mode == "verify" else 0)
    assert world.text == world.before
    assert world.project.cassettes == [CASSETTE]


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_trace(world: World, mode: str) -> None:
    """A refactoring that keeps every input: `accept` takes it over without a live call, others find it or record over it."""
    world.recorded().change(TRACE="yes")
    ran = world.project.replay(f"--wfreplay={mode}")
    assert (world.calls > 0) == (mode in ("verify", "rewrite", "live"))
    if mode in ("none", "verify", "once"):
        told = ran.told("test_desk")
        assert told[0].startswith("DivergenceError: signal ")
        assert any('"noted"' in line for line in told)
        assert 'accept it, with the recorded replies: pytest --wfreplay=accept "test_it.py::test_desk"' in told
        assert world.text == world.before
        return
    assert ran.code == 0, ran.text
    if mode == "live":
        assert world.text == world.before
        return
    assert '"noted"' in world.text
    assert world.project.replay().outcomes == {"test_desk": "passed"}
    assert not world.project.was_live
    if mode == "accept":
        steps = [one.partition("  signals:\n")[0].partition("  steps:\n")[2] for one in (world.before, world.text)]
        assert steps[0] == steps[1] != ""
        assert world.before.splitlines()[:4] == world.text.splitlines()[:4]
        accepted = world.text
        assert ran.summary == "wfreplay: 0 replayed, 0 recorded, 0 diverged, 0 unused cassettes, 1 accepted"
        again = world.project.run("--wfreplay=accept")
        assert again.code == 0
        assert again.summary == "wfreplay: 1 replayed, 0 recorded, 0 diverged, 0 unused cassettes"
        assert world.text == accepted


@pytest.mark.parametrize("mode", MODES)
def test_a_new_step(world: World, mode: str) -> None:
    """Only `new_episodes` does just that one; `accept` has no reply for it."""
    world.recorded().change(MORE="yes")
    ran = world.project.replay(f"--wfreplay={mode}")
    if mode in ("new_episodes", "rewrite", "live"):
        assert ran.code == 0, ran.text
        assert world.calls == (1 if mode == "new_episodes" else 3)
        if mode == "new_episodes":
            assert ran.summary.startswith("wfreplay: 0 replayed, 1 recorded, 0 diverged")
            assert "- step: check#1/harness" in world.text
            assert world.project.replay().outcomes == {"test_desk": "passed"}
            assert not world.project.was_live
        return
    assert any("agent activation check#1 is not in the recording" in line for line in ran.told("test_desk"))
    assert world.text == world.before
    assert world.calls == (3 if mode == "verify" else 0)


def test_verify_finds_another_answer_and_writes_nothing(world: World) -> None:
    world.recorded().change(REPLY="go away")
    ran = world.project.replay("--wfreplay=verify")
    told = ran.told("test_desk")
    assert told[0] == "DivergenceError: agent activation write#1 gave another answer than recorded"
    assert 'recorded: "sorry"' in told
    assert 'this run: "go away"' in told
    assert "the service answers otherwise now" in told
    assert 'record this step again: pytest --wfreplay-only="write#1/harness" "test_it.py::test_desk"' in told
    assert world.text == world.before
    assert world.project.cassettes == [CASSETTE]
    assert world.calls == 2


def test_accept_does_not_write_what_a_failed_test_has_made(world: World) -> None:
    world.recorded().change(TRACE="yes", EXPECTED="else")
    assert world.project.replay("--wfreplay=accept").outcomes == {"test_desk": "failed"}
    assert world.text == world.before
    assert world.project.cassettes == [CASSETTE]


@pytest.mark.parametrize("args", [("--wfreplay=new_episodes",), ("--wfreplay-only=write",)], ids=["new_episodes", "only"])
def test_what_was_done_live_in_a_failed_test_is_kept_beside(world: World, args: tuple[str, ...]) -> None:
    world.recorded().change(MORE="yes", EXPECTED="else", REPLY="go away")
    world.project.replay(*args, *(["--wfreplay-only=check"] if "only" in args[0] else []))
    assert world.text == world.before
    assert world.project.cassettes == ["test_it/test_desk.failed.yaml", CASSETTE]
    assert "go away" in world.project.cassette("test_it/test_desk.failed.yaml").read_text()
    (world.project.path / "EXPECTED").unlink()
    world.change(MORE="")
    assert world.project.run("--wfreplay-only=write").code == 0
    assert world.project.cassettes == [CASSETTE]


def test_what_was_done_live_is_kept_beside_when_the_test_swallows_the_divergence(project: Project) -> None:
    """Nothing crashed: a `.partial` would be called so."""
    test = """
def test_tries(wfreplay):
    for _ in range(2):
        try:
            step.run("load", live, input={given})
            break
        except Exception:
            pass
"""
    project.write("test_it.py", test.format(given=1))
    assert project.record().code == 0
    project.write("test_it.py", test.format(given=2))
    ran = project.replay("--wfreplay=new_episodes")
    assert ran.outcomes == {"test_tries": "failed"}
    assert project.was_live
    assert project.cassettes == ["test_it/test_tries.failed.yaml", "test_it/test_tries.yaml"]
    assert "crashed" not in ran.text


# partial recording


def test_one_step_is_recorded_again_and_every_other_line_stays(world: World) -> None:
    world.recorded().change(REPLY="go away")
    ran = world.project.replay("--wfreplay-only=write")
    assert ran.code == 0, ran.text
    assert ran.summary.startswith("wfreplay: 0 replayed, 1 recorded, 0 diverged")
    assert world.calls == 1
    assert world.changed
    assert all(other == one.replace("sorry", "go away") != one for one, other in world.changed)
    assert world.project.replay().outcomes == {"test_desk": "passed"}


def test_a_step_that_hears_of_the_new_reply_is_refused_with_the_pattern_to_add(world: World) -> None:
    text = DESK.replace("Write about {{ state.text }}", "Write a {{ state.kind }}").replace('said("EXPECTED", "refund")', "said('ANSWER', 'refund')")
    world.project.write(text=text)
    world.recorded().change(ANSWER="complaint")
    told = world.project.replay("--wfreplay-only=classify*").told("test_desk")
    assert told[0] == "StepInputMismatchError: agent activation write#1 was given another input than recorded"
    advice = 'pytest --wfreplay-only="classify*" --wfreplay-only="write#1/harness" "test_it.py::test_desk"'
    assert f"record this step again, too: {advice}" in told
    assert world.text == world.before
    assert world.project.replay("--wfreplay-only=classify*", "--wfreplay-only=write#1/harness").code == 0
    assert world.calls == 2
    assert "Write a complaint" in world.text


def test_a_pattern_that_picks_no_recorded_step_is_a_usage_error_with_the_nearest_keys(world: World) -> None:
    world.recorded()
    for extra in ([], ["-n", "2"]):
        ran = world.project.replay("--wfreplay-only=clasify", *extra, **({"lean": XDIST} if extra else {}))
        assert ran.code == 4, ran.text
        assert "wfreplay: --wfreplay-only=clasify picks no recorded step; nearest: classify#1/harness, write#1/harness" in ran.text
        assert world.text == world.before
        assert not world.project.was_live


def test_without_a_cassette_there_is_nothing_to_keep_the_others_of(world: World) -> None:
    assert world.project.run("--wfreplay-only=write").told("test_desk")[0].startswith("CassetteMissing")
    assert not world.project.was_live


def test_only_may_be_joined_with_new_episodes_and_a_narrower_marker_keeps_its_test_offline(world: World) -> None:
    world.recorded().change(MORE="yes", REPLY="go away")
    assert world.project.replay("--wfreplay=new_episodes", "--wfreplay-only=write").code == 0
    assert world.calls == 2
    world.before = world.text
    world.project.write(text=DESK.replace("mark.wfreplay\n", "mark.wfreplay(mode='none')\n"))
    world.change(REPLY="sorry")
    assert world.project.replay("--wfreplay-only=write").outcomes == {"test_desk": "passed"}
    assert not world.project.was_live
    assert world.text == world.before


# shared cassettes

SHARED = """
@pytest.mark.wfreplay(cassette="shared")
@pytest.mark.parametrize("number", range(6))
def test_one(number):
    changed = Path(__file__).with_name("CHANGED")
    async def body(ctx):
        if changed.exists():
            ctx.emit("noted", number)
        return await ctx.step("load", live, number)
    assert asyncio.run(create_workflow("w").run(body)) == number
    if changed.exists() and changed.read_text():
        step.run("more", live, input=number)
"""


@pytest.mark.parametrize("mode", ["accept", "new_episodes", "verify"])
def test_tests_that_share_a_cassette_change_their_own_runs_only(project: Project, mode: str) -> None:
    """In two processes at once; those that are not run keep theirs."""
    project.write(text=SHARED)
    assert project.record().code == 0
    before = project.cassette("shared.yaml").read_text()
    (project.path / "CHANGED").write_text("more" if mode == "new_episodes" else "")
    ran = project.replay(f"--wfreplay={mode}", "-n", "2", "-k", "not one[0]", lean=XDIST)
    assert project.was_live == (mode != "accept")
    if mode == "verify":
        assert ran.code == 1
        assert project.cassette("shared.yaml").read_text() == before
        return
    assert ran.code == 0, ran.text
    after = project.cassette("shared.yaml").read_text()
    assert after.count('"noted"') == 5
    assert project.replay("-k", "not one[0]").code == 0
    (project.path / "CHANGED").unlink()
    assert project.replay("-k", "one[0]").code == 0


def test_accept_leaves_the_runs_of_others_alone(project: Project) -> None:
    text = '\n@pytest.mark.wfreplay(cassette="shared")\ndef test_first():\n    assert step.run("load", live, input=1) == 1\n'
    project.write(text=text)
    assert project.record().code == 0
    before = project.cassette("shared.yaml").read_text()
    project.write(text=text.replace("test_first", "test_second"))
    assert project.replay("--wfreplay=accept").outcomes == {"test_second": "passed"}
    assert project.cassette("shared.yaml").read_text() == before


@pytest.mark.parametrize("mode", ["none", "verify"])
def test_a_skip_does_not_hide_a_changed_input(project: Project, mode: str) -> None:
    text = "@pytest.mark.wfreplay\ndef test_it():\n    step.run('work', live, input=GIVEN)\n    if GIVEN > 1:\n        pytest.skip('today')\n"
    text += "    step.run('more', live)\n"
    project.write(text="GIVEN = 1\n" + text)
    assert project.record().code == 0
    project.write(text="GIVEN = 2\n" + text)
    ran = project.replay(f"--wfreplay={mode}")
    assert ran.outcomes == {"test_it": "failed"}
    assert "StepInputMismatchError: step work was given another input than recorded" in ran.text
