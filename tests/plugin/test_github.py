"""What GitHub is told of a session: short, and nothing in it is taken for Markdown."""

from __future__ import annotations

import html
import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.plugin.ending import Account
from pytest_wfreplay.plugin.gates import Gate, judged
from pytest_wfreplay.plugin.github import LONGEST, section, spelled
from pytest_wfreplay.plugin.ledger import Told
from pytest_wfreplay.redact import Redactor

if TYPE_CHECKING:
    from conftest import Project

XDIST = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")

TESTS = """
ORDER = "<b>|3|</b>"

@pytest.mark.wfreplay
def test_charge():
    step.run("charge", live, input={"order": ORDER})

@pytest.mark.wfreplay
def test_other():
    step.run("other", live, input=1)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_section_is_added_to_the_steps_summary_once(project: Project, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]) -> None:
    project.write(text=TESTS)
    assert project.record().code == 0
    project.cassette("test_gone.yaml").write_text(project.cassette("test_it/test_other.yaml").read_text())
    project.write(text=TESTS.replace("|3|", "|4|"))
    target = project.path / "summary.md"
    target.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    assert project.replay("--wfreplay-min-pass-rate=0.9", *workers, lean=XDIST).code == 1
    lines = [html.unescape(line) for line in target.read_text().splitlines()]
    assert lines[:11] == [
        "# Before",
        "## wfreplay",
        "",
        "2 tests in mode none: 1 replayed, 0 recorded, 1 diverged",
        "",
        "| gate | | found |",
        "| --- | --- | --- |",
        "| --wfreplay-min-pass-rate=0.9 | **failed** | 1 of 2 tests passed |",
        "",
        "| diverged | first lines of the report |",
        "| --- | --- |",
    ]
    assert lines[11].startswith("| test_it.py::test_charge | <pre>step charge was given another input than recorded<br>")
    assert 'recorded: "<b>|3|</b>"<br>' in lines[11]
    assert "&#60;b&#62;&#124;3&#124;" in target.read_text(), "it is spelled so that GitHub shows it as it is"
    assert lines[12:] == ["", "1 unused cassettes:", "", "- cassettes/test_gone.yaml", ""]


def test_a_summary_that_cannot_be_written_is_said_and_harms_nobody(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(text=TESTS)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "nowhere" / "summary.md"))
    ran = project.record()
    assert (ran.code, "wfreplay: GITHUB_STEP_SUMMARY was not written: [Errno 2]" in ran.text) == (0, True), ran.text


def test_a_session_without_a_test_of_ours_adds_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(text="def test_plain():\n    pass\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "summary.md"))
    assert project.run("--wfreplay-min-pass-rate=0.9").code == 0
    assert not (project.path / "summary.md").exists()


def test_the_section_stays_small_whatever_happened_and_holds_no_secret() -> None:
    facts = {"outcome": "diverged", "report": ["\U0001f4a5" * 10_000] * 500}
    tests = tuple(Told(f"test_{number}[hunter2-{number}]" * 100, "failed", facts) for number in range(1000))
    verdicts = tuple(judged([Gate("--wfreplay-min-pass-rate", Decimal(1), "1")], tests))
    account = Account("none", tests, verdicts, tuple(f"cassettes/{number}.yaml" * 50 for number in range(1000)), 1)
    text = section(account, Redactor(known=frozenset({"hunter2"})))
    assert len(text.encode()) < 512 * 1024
    assert "… and 980 more diverged tests" in text
    assert "… and 980 more unused cassettes" in text
    assert "hunter2" not in text


@given(st.text())
def test_spelled_text_reads_the_same_and_holds_nothing_that_markdown_knows(text: str) -> None:
    found = spelled(text)
    shown = html.unescape(found) if not re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef]|[\ufffe\uffff]$", text) else None
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    assert shown is None or all(ord(char) > 0xFFFF for char in set(cut) - set(shown)) or shown == cut
    assert not set(re.sub(r"&#\d+;", "", found)) & set("|<>&*_`[]()!\\~@#:.\n\r")
