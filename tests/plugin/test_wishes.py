"""The keywords of the marker and of the config fixture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.plugin.wishes import Wishes

if TYPE_CHECKING:
    from conftest import Project

KEYWORDS = "It has cassette, mode, match, ignore, max_age, redact."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('casette="shared"', f"the wfreplay marker has no 'casette'. {KEYWORDS}"),
        ('mode="rewite"', "'rewite' is not a mode. Choose one of none, verify, accept, once, new_episodes, rewrite, live."),
        ('match="loose"', "match='loose' is none. Choose one of strict, inputs, keys."),
        ('match=["strict"]', "match=['strict'] is none. Choose one of strict, inputs, keys."),
        ('ignore="steps.output"', "Not a path to ignore: 'steps.output'."),
        ("ignore=7", "ignore=7 is neither a text nor a list."),
        ("max_age=-1", "max_age=-1 is not a number of seconds above 0, nor a timedelta."),
        ("max_age=True", "max_age=True is not a number of seconds above 0, nor a timedelta."),
        ('max_age="1d"', "max_age='1d' is not a number of seconds above 0, nor a timedelta."),
        ('redact="[a-"', "Not a regular expression to redact by: '[a-'"),
        ("redact=[7]", "Not something to redact by: 7. Pass a regular expression or a function from text to text."),
        ("cassette=7", "cassette=7 is not the name of a file."),
        ('cassette=" "', "cassette=' ' is not the name of a file."),
    ],
)
def test_a_keyword_that_cannot_be_meant_says_what_can(arguments: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Wishes().over(eval(f"dict({arguments})"))  # noqa: S307 - written above
    assert f"{raised.value} {raised.value.hint}".startswith(f"the wfreplay_config fixture: {message}")


def test_what_the_nearest_says_counts_and_lists_add_up() -> None:
    wishes = Wishes(cassette="near", mode="once", ignore=("state.a",)).over(
        {"cassette": "far", "mode": "none", "match": "keys", "ignore": "state.b", "max_age": 5, "redact": ["x"]}
    )
    assert wishes == Wishes("near", "none", "keys", ("state.a", "state.b"), 5, ("x",))


def test_a_config_fixture_gives_a_dict() -> None:
    with pytest.raises(ConfigurationError, match="the wfreplay_config fixture gives None"):
        Wishes().over(None)  # type: ignore[arg-type]  # as a user might


def test_a_marker_that_cannot_be_meant_is_a_usage_error(project: Project) -> None:
    for marker, message in (
        ('casette="shared"', f"test_it.py::test_it: the wfreplay marker has no 'casette'. {KEYWORDS}"),
        ('"shared"', 'test_it.py::test_it: the wfreplay marker takes keywords only, such as cassette="shared".'),
        ('mode="all"', "test_it.py::test_it: 'all' is not a mode. Choose one of none, verify, accept, once, new_episodes, rewrite, live."),
    ):
        project.write(text=f"@pytest.mark.wfreplay({marker})\ndef test_it(): pass")
        ran = project.run()
        assert ran.code == pytest.ExitCode.USAGE_ERROR
        assert f"ERROR: {message}" in ran.text.splitlines()


TESTS = """
import datetime as dt
import os

@pytest.mark.wfreplay(cassette="shared", mode="once")
@pytest.mark.parametrize("name", ["a", "b"])
def test_shares(name, wfreplay):
    assert wfreplay.cassette.name == "shared.yaml"
    assert step.run("work", live, input=1) == 1

@pytest.mark.wfreplay(match="keys")
def test_keys():
    step.run("work", live, input=os.urandom(4))

@pytest.mark.wfreplay(match="inputs")
def test_inputs():
    step.run("work", live, input=1)

@pytest.mark.wfreplay(ignore="steps[work].input")
def test_ignores():
    step.run("work", live, input=os.urandom(4))

@pytest.mark.wfreplay(max_age=3600)
def test_is_young():
    step.run("work", live, input=1)

@pytest.mark.wfreplay(max_age=dt.timedelta(days=30))
def test_is_old():
    step.run("work", live, input=1)

@pytest.mark.wfreplay(redact=["hush-[0-9]+", lambda text: text.replace("aB", "?")])
def test_redacts():
    step.run("work", live, input="hush-1234 aB")

class TestConfigured:
    @pytest.fixture
    def wfreplay_config(self):
        return {"ignore": ["steps[work].input"], "cassette": "configured"}

    def test_by_a_fixture(self, wfreplay):
        step.run("work", live, input=os.urandom(4))

    @pytest.fixture
    def wfreplay_cassette_name(self, request):
        return "mine/" + request.node.name

    @pytest.mark.wfreplay(cassette="marked.yaml")
    def test_the_marker_goes_first(self, wfreplay):
        step.run("work", live, input=1)

class TestElsewhere:
    @pytest.fixture
    def wfreplay_cassette_dir(self):
        return "elsewhere"

    @pytest.fixture
    def wfreplay_cassette_name(self, request):
        return "mine/" + request.node.name

    @pytest.mark.wfreplay
    def test_with_a_name(self):
        step.run("work", live, input=1)
"""


def test_every_keyword_does_what_it_says(project: Project) -> None:
    project.write(text=TESTS)
    assert set(project.record().outcomes.values()) == {"passed"}
    names = [name for name in project.cassettes if not name.startswith("test_it/")]
    assert names == ["configured.yaml", "marked.yaml", "shared.yaml"]
    assert (project.path / "elsewhere/mine/test_with_a_name.yaml").is_file()
    redacted = project.cassette("test_it/test_redacts.yaml")
    assert 'input: "[redacted] ?"' in redacted.read_text()
    assert "1234" not in redacted.read_text()
    old = project.cassette("test_it/test_is_old.yaml")
    text = old.read_text()
    old.write_text(text.replace('"at": "20', '"at": "19'))
    ran = project.replay()
    assert {name for name, outcome in ran.outcomes.items() if outcome != "passed"} == {"test_is_old"}, ran.text
    told = ran.told("test_is_old")
    assert re.fullmatch(r"CassetteError: cassettes/test_it/test_is_old\.yaml: recorded 36\d\d\d days ago; max_age is 30 days", told[0])
    assert told[1] == 'hint: Record it again: pytest --record "test_it.py::test_is_old"'
    assert not project.was_live
    assert ran.summary == "wfreplay: 10 replayed, 0 recorded, 0 diverged, 0 unused cassettes"


def test_a_keyword_that_cannot_be_meant_is_a_usage_error_on_workers_too(project: Project) -> None:
    project.write("test_it.py", '@pytest.mark.wfreplay(casette="shared")\ndef test_typo():\n    step.run("load", live)\n')
    xdist = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:asyncio", "-p", "no:anyio")
    for args, lean in (((), (*xdist, "-p", "no:xdist")), (("-n", "2"), xdist)):
        ran = project.record(*args, lean=lean)
        assert ran.code == pytest.ExitCode.USAGE_ERROR
        assert f"ERROR: test_it.py::test_typo: the wfreplay marker has no 'casette'. {KEYWORDS}" in ran.text
        assert "INTERNALERROR" not in ran.text
    assert not project.was_live


def test_a_command_that_a_narrower_wish_keeps_from_recording_says_so(project: Project) -> None:
    """`--record` of a test with `mode="once"` replays it once more: whoever copied the command would go round in circles."""
    test = '@pytest.mark.wfreplay(mode="{mode}")\ndef test_wish():\n    step.run("load", live, input={given})\n'
    project.write("test_it.py", test.format(mode="once", given=1))
    project.record()
    project.write("test_it.py", test.format(mode="once", given=2))
    told = project.record().told("test_wish")
    assert told[-2:] == [
        'record again: pytest --record "test_it.py::test_wish"',
        "nothing is recorded while its marker or wfreplay_config says mode='once': take that away first",
    ]
    project.write("test_it.py", test.format(mode="rewrite", given=2))
    assert project.replay().told("test_wish")[-1] == 'record again: pytest --record "test_it.py::test_wish"'
    project.cassette("test_it/test_wish.yaml").unlink()
    project.write("test_it.py", test.format(mode="none", given=2))
    assert project.record().told("test_wish")[-2:] == [
        'hint: Record it: pytest --record "test_it.py::test_wish"',
        "nothing is recorded while its marker or wfreplay_config says mode='none': take that away first",
    ]
    project.write("test_it.py", test.format(mode="once", given=2))
    assert project.replay().told("test_wish")[-1] == 'hint: Record it: pytest --record "test_it.py::test_wish"'
