"""What a test tells with its report, as JUnit's properties have it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")

TESTS = """
flow = create_workflow("desk")
AGENTS = {"a": flow.agent(prompt="x", activate_on=["workflow:start"])}
REPLY = [create_signal("harness:end", {"output": {"content": "hi", "usage": {"input_tokens": 3, "output_tokens": 4}, "cost_usd": 0.25}})]

@pytest.mark.wfreplay
class TestAll:
    def test_speaks(self, wfreplay, request):
        request.node.user_properties.append(("mine", "kept"))
        wfreplay.run(flow.run_reactive(agents=AGENTS, state={}, harness=ScriptedHarness([REPLY])))

    def test_steps(self):
        step.run("work", live, input=WORK)

    @pytest.mark.skip
    def test_skips(self):
        pass

def test_plain():
    pass
"""


def properties(project: Project) -> dict[str, dict[str, str]]:
    root = ET.parse(project.path / "junit.xml").getroot()  # noqa: S314 - we have just written it
    return {case.attrib["name"]: {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")} for case in root.iter("testcase")}


@pytest.mark.parametrize("family", ["xunit2", "xunit1"])
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_junit_has_what_every_test_did_and_took(project: Project, family: str, workers: tuple[str, ...]) -> None:
    project.ini(f"junit_family = {family}\n")
    project.write(text=TESTS.replace("WORK", "1"))
    project.record("--junitxml=junit.xml")
    assert properties(project)["test_speaks"]["wfreplay.outcome"] == "recorded"
    project.write(text=TESTS.replace("WORK", "2"))
    assert project.replay("--junitxml=junit.xml", *workers, lean=XDIST).code == 1
    found = properties(project)
    assert float(found["test_speaks"].pop("wfreplay.latency_ms")) > 0
    assert found == {
        "test_speaks": {
            "mine": "kept",
            "wfreplay.outcome": "replayed",
            "wfreplay.mode": "none",
            "wfreplay.cassette": "cassettes/test_it/TestAll.test_speaks.yaml",
            "wfreplay.runs": "1",
            "wfreplay.steps": "1",
            "wfreplay.tokens": "7",
            "wfreplay.cost_usd": "0.25",
        },
        "test_steps": {
            "wfreplay.outcome": "diverged",
            "wfreplay.mode": "none",
            "wfreplay.cassette": "cassettes/test_it/TestAll.test_steps.yaml",
            "wfreplay.runs": "1",
            "wfreplay.steps": "1",
            "wfreplay.latency_ms": found["test_steps"]["wfreplay.latency_ms"],
        },
        "test_skips": {"wfreplay.outcome": "skipped", "wfreplay.mode": "none", "wfreplay.runs": "0", "wfreplay.steps": "0"},
        "test_plain": {},
    }


def test_a_redactor_that_raises_fails_its_test_and_not_the_session(project: Project) -> None:
    project.write(
        text="""
def test_bad(wfreplay):
    wfreplay.add_redactor(lambda text: 1 / 0)
    step.run("work", live, input="text")

def test_good(wfreplay):
    step.run("work", live, input="text")
"""
    )
    ran = project.record()
    assert ran.outcomes == {"test_bad": "failed", "test_good": "passed"}, ran.text
    assert "INTERNALERROR" not in ran.text
