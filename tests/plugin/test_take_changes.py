"""Ten changes to what was recorded: each fails on replay, for steps and for agents, before anything is done live."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Project

STEPS = """
import random
from datetime import datetime, timezone

CHANGED = Path(__file__).with_name("CHANGED").exists()
pytestmark = pytest.mark.wfreplay

def test_other_input():
    step.run("one", live, input=2 if CHANGED else 1)

def test_renamed():
    step.run("uno" if CHANGED else "one", live, input=1)

def test_added_in_the_middle():
    step.run("one", live, input=1)
    if CHANGED:
        step.run("between", live, input=1)
    step.run("two", live, input=1)

def test_added_at_the_end():
    step.run("one", live, input=1)
    if CHANGED:
        step.run("last", live, input=1)

def test_removed_at_the_end():
    step.run("one", live, input=1)
    if not CHANGED:
        step.run("last", live, input=1)

def test_timer():
    async def main():
        await step.run("one", alive)
        if CHANGED:
            await step.sleep(0.001)
    asyncio.run(main())

async def alive():
    live()

def run_of(body):
    return asyncio.run(create_workflow("flow").run(body))

def test_other_result():
    async def body(ctx):
        await ctx.step("one", live, 1)
        return 2 if CHANGED else 1
    run_of(body)

def test_raising():
    async def body(ctx):
        await ctx.step("one", live, 1)
        if CHANGED:
            raise ValueError("not returned")
    try:
        run_of(body)
    except ValueError:
        pass

def test_random():
    step.run("one", live, input=random.random())

def test_clock():
    step.run("one", live, input=datetime.now(timezone.utc))

def test_swapped():
    for name in ("two", "one") if CHANGED else ("one", "two"):
        step.run(name, live, input=1)
"""

AGENTS = """
import random
from datetime import datetime, timezone

CHANGED = Path(__file__).with_name("CHANGED").exists()
pytestmark = pytest.mark.wfreplay
flow = create_workflow("flow")

class Harness(ScriptedHarness):
    async def run(self, input, ctx):
        live()
        async for signal in super().run(input, ctx):
            yield signal

def agent(prompt, heard="workflow:start", said="said", field="text"):
    return flow.agent(prompt=prompt, activate_on=[heard], emits=[said], updates=field)

def run_of(*, script=lambda input, ctx: "yo", **agents):
    state = {"text": "", "more": ""}
    return asyncio.run(flow.run_reactive(agents=agents, state=state, harness=Harness(script)))

def test_other_input():
    run_of(one=agent("be stern" if CHANGED else "be kind"))

def test_renamed():
    run_of(**{"uno" if CHANGED else "one": agent("be kind")})

def test_added_in_the_middle():
    between = {"between": agent("between", "first", "middle")} if CHANGED else {}
    run_of(one=agent("one", said="first"), **between, two=agent("two", "middle" if CHANGED else "first", "last", "more"))

def test_added_at_the_end():
    run_of(one=agent("one", said="first"), **({"two": agent("two", "first", "last", "more")} if CHANGED else {}))

def test_removed_at_the_end():
    run_of(one=agent("one", said="first"), **({} if CHANGED else {"two": agent("two", "first", "last", "more")}))

def test_timer():
    async def wait(state, signal):
        if CHANGED:
            await step.sleep(0.001)
    asyncio.run(flow.run_reactive(agents={"one": agent("one")}, state={"text": ""}, harness=Harness(lambda i, c: "yo"), processes={"said": wait}))

def test_other_result():
    def reduce(state, signal):
        state["more"] = "changed" if CHANGED else "same"
    agents = {"one": agent("one")}
    asyncio.run(flow.run_reactive(agents=agents, state={"text": "", "more": ""}, harness=Harness(lambda i, c: "yo"), reducers={"said": reduce}))

def test_raising():
    def hear(state, signal):
        if CHANGED:
            raise ValueError("not returned")
    try:
        asyncio.run(flow.run_reactive(agents={"one": agent("one")}, state={"text": ""}, harness=Harness(lambda i, c: "yo"), processes={"said": hear}))
    except HandlerError:
        pass

def test_random():
    run_of(one=agent(lambda ctx: f"lucky number {random.random()}"))

def test_clock():
    run_of(one=agent(lambda ctx: f"it is {datetime.now(timezone.utc).isoformat()}"))

def test_swapped():
    names = ("two", "one") if CHANGED else ("one", "two")
    run_of(**{names[0]: agent("say " + names[0], said="first"), names[1]: agent("say " + names[1], "first", "last", "more")})
"""

TESTS = [
    "test_other_input",
    "test_renamed",
    "test_added_in_the_middle",
    "test_added_at_the_end",
    "test_removed_at_the_end",
    "test_timer",
    "test_other_result",
    "test_raising",
    "test_random",
    "test_clock",
    "test_swapped",
]


def changed(project: Project, tests: str) -> dict[str, str]:
    """The headline of each test's failure after the change."""
    project.write(text=tests)
    assert set(project.record().outcomes.values()) == {"passed"}
    ran = project.replay("-k", "not random and not clock")
    assert ran.code == 0, ran.text
    (project.path / "CHANGED").touch()
    ran = project.replay()
    assert not project.was_live
    assert ran.outcomes == dict.fromkeys(TESTS, "failed"), ran.text
    assert ran.summary == f"wfreplay: 0 replayed, 0 recorded, {len(TESTS)} diverged, 0 unused cassettes"
    return {test.removeprefix("test_"): ran.told(test)[0] for test in TESTS}


def test_ten_changes_to_steps(project: Project) -> None:
    assert changed(project, STEPS) == {
        "other_input": "StepInputMismatchError: step one was given another input than recorded",
        "renamed": "UnrecordedStepError: step uno is not in the recording; its work was not begun",
        "added_in_the_middle": "UnrecordedStepError: step between is not in the recording; its work was not begun",
        "added_at_the_end": "UnrecordedStepError: step last is not in the recording; its work was not begun",
        "removed_at_the_end": "DivergenceError: step last was recorded and never began in this run",
        "timer": "UnrecordedStepError: step sleep is not in the recording; its work was not begun",
        "other_result": "DivergenceError: the run ended with another outcome than recorded",
        "raising": "ValueError: not returned",  # what the user's code did comes first, then what it diverged from
        "random": "StepInputMismatchError: step one was given another input than recorded",
        "clock": "StepInputMismatchError: step one was given another input than recorded",
        "swapped": "DivergenceError: step one began in another order than recorded",
    }


def test_ten_changes_to_agents(project: Project) -> None:
    assert changed(project, AGENTS) == {
        "other_input": "StepInputMismatchError: agent activation one#1 was given another input than recorded",
        "renamed": "UnrecordedStepError: agent activation uno#1 is not in the recording; its work was not begun",
        "added_in_the_middle": "UnrecordedStepError: agent activation between#1 is not in the recording; its work was not begun",
        "added_at_the_end": "UnrecordedStepError: agent activation two#1 is not in the recording; its work was not begun",
        "removed_at_the_end": "DivergenceError: agent activation two#1 was recorded and never began in this run",
        "timer": "UnrecordedStepError: step sleep is not in the recording; its work was not begun",
        "other_result": "DivergenceError: signal 10 is another one than recorded",
        "raising": "ValueError: not returned",
        "random": "StepInputMismatchError: agent activation one#1 was given another input than recorded",
        "clock": "StepInputMismatchError: agent activation one#1 was given another input than recorded",
        "swapped": "DivergenceError: signal 1 is another one than recorded",
    }


EXTEND = "do the new step, keep the rest: pytest "


def test_where_a_step_was_not_recorded_the_report_offers_to_do_just_that_one(project: Project) -> None:
    project.write(text=STEPS)
    assert set(project.record().outcomes.values()) == {"passed"}
    (project.path / "CHANGED").touch()
    ran = project.replay()
    offers = {test: [line for line in ran.told(test) if line.startswith(EXTEND)] for test in TESTS}
    new = ["test_renamed", "test_added_in_the_middle", "test_added_at_the_end", "test_timer"]
    assert offers == {test: [f'{EXTEND}--wfreplay=new_episodes "test_it.py::{test}"'] if test in new else [] for test in TESTS}
    for test in new:
        ran = project.replay(*shlex.split(offers[test][0].removeprefix(EXTEND)))
        assert ran.code == 0
        done = (project.path / "LIVE").read_text() if project.was_live else ""
        assert done == ("" if test == "test_timer" else "x"), "the timer's new step is a sleep"
    again = project.replay("-k", " or ".join(new))
    assert again.outcomes == dict.fromkeys(new, "passed")
    assert not project.was_live


def test_nobody_is_offered_a_new_step_that_a_narrower_wish_forbids(project: Project) -> None:
    text = 'CHANGED = Path(__file__).with_name("CHANGED").exists()\n\n@pytest.mark.wfreplay(mode=MODE)\ndef test_narrow():\n'
    text += '    if CHANGED:\n        step.run("first", live)\n    step.run("one", live)\n'
    project.write(text="MODE = None\n" + text)
    assert project.record().code == 0
    project.write(text="MODE = 'none'\n" + text)
    (project.path / "CHANGED").touch()
    told = project.replay().told("test_narrow")
    assert told[0] == "UnrecordedStepError: step first is not in the recording; its work was not begun"
    assert not [line for line in told if line.startswith(EXTEND)]
