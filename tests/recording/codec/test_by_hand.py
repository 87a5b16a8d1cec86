"""Cassettes that a hand has been at, and files that are none."""

from __future__ import annotations

import re

import pytest
import yaml

from pytest_wfreplay.errors import CassetteEmpty, CassetteError, CassetteTruncated, CassetteUnreadable, CassetteVersionError
from pytest_wfreplay.recording.codec.read import read_canonical
from pytest_wfreplay.recording.codec.text import decode, encode

TEXT = """\
# Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest --record
format: 1
runs:
- workflow: support
  recorded: {"at": "2026-11-20T10:00:00.000Z"}
  state:
    initial: {"a": 1}
  steps:
  - step: load
    input: {"user_id": 7}
    output: {"name": "Ada", "note": "x"}
  signals:
  - {"name": "a", "payload": {"n": 1}, "source": {"agent": "w", "parent": 1}}
  - {"name": "text:delta", "payload": {"content": ["x", "y"]}}
  at_ms: [0, 2, 3]
# end
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format: 1\n", "format: 1   # the first\n\n"),
        ('{"user_id": 7}', "{user_id: 7}"),
        ('    input: {"user_id": 7}\n', "    input:\n      user_id: 7\n"),
        ('"name": "Ada"', "'name': Ada"),
        ('{"name": "a", "payload": {"n": 1}, ', '{"name": "a",\n     "payload": {"n": 1},\n     '),
        ('- {"name": "text:delta"', '-   {"name": "text:delta"'),
        ("\n# end\n", "\n# end"),
        ("\n# end\n", "\n# end  \n\n"),
        ("\n", "\r\n"),
        ("# Recorded", "\ufeff# Recorded"),
        (TEXT.partition("\n")[0], "---"),
        ('"x"}', '"\\x78"}'),
        ("step: load", "step:  'load'"),
    ],
)
def test_a_hand_edit_stays_legal(old: str, new: str) -> None:
    assert old in TEXT
    assert decode(TEXT.replace(old, new), path="c.yaml") == decode(TEXT, path="c.yaml")


def test_a_line_may_go_without_its_time() -> None:
    shorter = TEXT.replace(', "y"', "")
    assert len(decode(shorter, path="c.yaml").runs[0].signals) == 2


@pytest.mark.parametrize("word", ["no", "on", "y", "1:30", "017", "2026-01-01", "1_000", "0x1F", "=", "<<", "-", "08", "1e", "Yes"])
def test_yaml_takes_no_word_for_something_else(word: str) -> None:
    value = decode(TEXT.replace('"Ada"', word), path="c.yaml").runs[0].entries[0].outcome.value
    assert value["name"] == word


@pytest.mark.parametrize(
    ("word", "value"), [("null", None), ("~", None), ("true", True), ("1", 1), ("-1.5e3", -1500.0), ("1e3", 1000.0), (".5", 0.5)]
)
def test_json_words_are_what_they_are(word: str, value: object) -> None:
    found = decode(TEXT.replace('"Ada"', word), path="c.yaml").runs[0].entries[0].outcome.value["name"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('{"user_id": 7}', '{"user_id": 7, "user_id": 8}', 10, "the key 'user_id' stands here a second time"),
        ("  steps:", "  state: {}\n  steps:", 8, "the key 'state' stands here a second time"),
        ('{"user_id": 7}', "&a {}", 10, "an anchor (&a)"),
        ('{"user_id": 7}', "*a", 10, "an alias"),
        ('{"user_id": 7}', "!!python/object:os.system {}", 10, "a tag (tag:yaml.org,2002:python/object:os.system)"),
        ('{"user_id": 7}', "[" * 30_000, 10, "nested more than 200 levels deep"),
        ('{"user_id": 7}', '{"a":' * 30_000, 10, "nested more than 200 levels deep"),
        ('{"user_id": 7}', "- " * 30_000, None, "not YAML"),
        ('{"user_id": 7}', "[" * 200 + "]" * 200, 10, "nested more than 200 levels deep"),
        ('{"user_id": 7}', ".inf", 10, ".inf; JSON has no such number"),
        ('{"user_id": 7}', "1e999", 10, "1e999; JSON has no such number"),
        ('{"user_id": 7}', "[NaN, 1e999]", 10, "1e999; JSON has no such number"),
        ('{"user_id": 7}', "9" * 5000, 10, "an integer of more than 4300 digits"),
        ('{"user_id": 7}', "{", None, "not YAML"),
        ('{"user_id": 7}', '"\\ud800"', 10, "not YAML"),
        ('{"user_id": 7}', "{[1]: 2}", 10, "a key that is not text"),
        ("\n# end", "\n---\n{}\n# end", 16, "a second document"),
        ("  steps:", "<<<<<<< HEAD\n  steps:", 8, "a merge conflict stands in it"),
        ("runs:\n", "runs: 3\n", None, ""),
        ("  steps:\n", "  step:\n", 9, "runs[0].step: expected an object with workflow"),
        ("step: load", "step: 7", 9, "runs[0].steps[0].step: expected text, found 7"),
        ('    output: {"name": "Ada", "note": "x"}\n', "", 9, "runs[0].steps[0]: expected one of output, error, cancelled, found []"),
        ("    output:", "    cancelled: true\n    output:", 11, "runs[0].steps[0].cancelled: expected cancelled: true"),
        ("    output:", "    attempts: 0\n    output:", 11, "runs[0].steps[0].attempts: expected a number from 1, found 0"),
        ('"parent": 1', '"parent": true', 13, "runs[0].signals[0].source.parent: expected a position, from 1, found True"),
        ('"parent": 1', '"who": 1', 13, "runs[0].signals[0].source.who: expected one of agent"),
        ('"source": {"agent": "w", "parent": 1}', '"source": [[]]', 13, "runs[0].signals[0].source: expected an object"),
        ('{"name": "a", ', '{"nme": "a", ', 13, "runs[0].signals[0]: expected a signal"),
        ('["x", "y"]', "[]", 14, "runs[0].signals[1].payload: expected at least one chunk"),
        ("[0, 2, 3]", "[0, 2, now]", 15, "runs[0].at_ms[2]: expected milliseconds, found 'now'"),
        ("[0, 2, 3]", "[0, 2, 1000000000000000000]", 15, "runs[0].at_ms: expected milliseconds since it was recorded"),
        ("  steps:", "  status: done\n  steps:", 8, "runs[0].status: expected one of recording"),
        ("  steps:", '  checkpoints: [{"name": "p", "index": 9}]\n  steps:', 8, "expected the index of a signal, below 3, found 9"),
        ("format: 1", "format: one", 1, "expected format: 1 at its top, found 'one'"),
        ("format: 1", "format: 0", 1, "format 0 was never released"),
        (
            '{"name": "a", "payload": {"n": 1}',
            '{"name": "state:a:changed", "payload": {"new_value": {"$append": "x"}}',
            13,
            "expected a $append of a text",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, line: int | None, says: str) -> None:
    assert old in TEXT
    with pytest.raises(CassetteUnreadable) as caught:
        decode(TEXT.replace(old, new, 1), path="some/c.yaml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("some/c.yaml")
    assert line is None or caught.value.line == line
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", CassetteEmpty, "c.yaml: the file is empty"),
        (" \n\n", CassetteEmpty, "c.yaml: the file is empty"),
        (TEXT[: TEXT.index("# end")], CassetteTruncated, "its end is missing"),
        (TEXT[:100], CassetteTruncated, "its end is missing"),
        (TEXT[:20], CassetteTruncated, "its end is missing"),
        (TEXT.replace("format: 1", "format: 7"), CassetteVersionError, "it has format 7, and this version of pytest-wfreplay reads up to 1"),
        ("runs: []\nformat: 7\n", CassetteVersionError, "it has format 7"),
        ("# a note\n", CassetteUnreadable, "expected an object with format, runs, found None"),
        ("[1]", CassetteUnreadable, "the file: expected an object with format, runs, found [1]"),
        ("runs: []", CassetteUnreadable, "expected format: 1 at its top, found None"),
        (b"\xff\xfe", CassetteUnreadable, "not UTF-8"),
        (TEXT.encode("utf-16"), CassetteUnreadable, "not UTF-8"),
    ],
)
def test_missing_parts_are_errors_of_their_own(text: str | bytes, error: type[CassetteError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)) as caught:
        decode(text, path="c.yaml")
    assert caught.value.path == "c.yaml"


def test_every_cut_of_a_cassette_is_noticed() -> None:
    for length in range(1, len(TEXT) - 1):
        with pytest.raises(CassetteTruncated):
            decode(TEXT[:length], path="c.yaml")


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(CassetteUnreadable, match=r"bytes, and the limit \(max_bytes\) is 10"):
        decode(TEXT, path="c.yaml", max_bytes=10)


def test_a_line_cannot_reach_into_the_next() -> None:
    split = TEXT.replace('{"name": "a", "payload": {"n": 1}, "source": {"agent": "w", "parent": 1}}', '{"name": "a", "payload": [{}').replace(
        '{"name": "text:delta", ', '{"name": "b"}]}, {"name": "c", '
    )
    assert read_canonical(split) is None
    with pytest.raises(CassetteUnreadable):
        decode(split, path="c.yaml")


def test_a_canonical_file_needs_no_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("YAML was asked")

    monkeypatch.setattr(yaml, "parse", refuse)
    canonical = encode(decode(TEXT, path="c.yaml"))
    assert decode(canonical, path="c.yaml").runs


def test_it_reads_alike_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert decode(TEXT.replace("format: 1\n", "format: 1 # x\n"), path="c.yaml") == decode(TEXT, path="c.yaml")
    with pytest.raises(CassetteUnreadable, match="nested more than 200"):
        decode("[" * 30_000, path="c.yaml")


def test_not_even_with_the_fence_in_disguise() -> None:
    split = TEXT.replace('{"name": "a", "payload": {"n": 1}, "source": {"agent": "w", "parent": 1}}', '{"name": "a", "payload": [{}').replace(
        '{"name": "text:delta", ', '{"name": "b"}]}, "\\u00a6", {"name": "c", '
    )
    assert read_canonical(split) is None
