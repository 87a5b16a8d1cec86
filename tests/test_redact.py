"""Secrets never stay: whatever their shape, key or source, and nothing else is touched."""

from __future__ import annotations

import base64
import json
import re
from itertools import pairwise
from pathlib import Path
from time import process_time
from urllib.parse import quote

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.cleaning import Cleaning
from pytest_wfreplay.recording.codec.text import encode
from pytest_wfreplay.recording.pieces import cleaned_recording, redact_pieces
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.redact import PLACEHOLDER, Redactor, known_secrets
from pytest_wfreplay.secret_shapes import is_secret_key
from pytest_wfreplay.signal import Signal, signal_id
from pytest_wfreplay.steps.entry import Entry, Returned
from pytest_wfreplay.trace import Trace

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"
TOKENS = {
    "Anthropic key": "sk-ant-api03-" + "aB3_" * 8,
    "OpenAI key": "sk-proj-" + "aB3-" * 8,
    "GitHub token": "ghp_" + "aB3d" * 9,
    "GitLab token": "glpat-" + "aB3d" * 5,
    "AWS key": "AKIAIOSFODNN7EXAMPLE",
    "Google key": "AIza" + "aB3d-" * 7,
    "Slack token": "xoxb-123456789012-abcdefABCDEF",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "PEM block": PEM,
}
SECRET_KEYS = """
    authorization Proxy-Authorization cookie Set-Cookie x-api-key X-API-Key api_key apiKey APIKEY password secret access_token accessToken
    refresh_token refreshToken client_secret clientSecret private_key privateKey OPENAI_API_KEY db_password aws_secret_access_key
"""
OTHER_KEYS = """
    input_tokens output_tokens max_tokens total_tokens token key monkey keyboard secretary password_hint has_password cookies_eaten tokenizer author
"""
KNOWN = 'my "own" secret\n/42'
REDACTOR = Redactor(known=frozenset({KNOWN, "hunter2-hunter2"}))

secrets = st.sampled_from([*TOKENS.values(), "sk-" + "aB3d" * 12, "github_pat_" + "aB3d" * 9, "AIza" + "x" * 35, KNOWN, "hunter2-hunter2"])
innocent = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="-_."), max_size=12)
words = st.sampled_from(
    ["task-management-system-for-people", "max_tokens", "sk-learn-for-absolute-beginners", "bearer authentication", "the bearer of news", PLACEHOLDER]
)
texts = st.lists(innocent | words | secrets, max_size=5).map(" ".join)
keys = st.sampled_from(["a", "api_key", "Authorization", "input_tokens", "password", "nested"]) | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(("shape", "token"), TOKENS.items())
def test_the_shape_of_a_token_gives_it_away(shape: str, token: str) -> None:
    assert Redactor().text(f"use {token} now") == "use [redacted] now"
    assert Redactor().leaks(json.dumps({"a": f"use {token} now"})) == shape
    assert Redactor().leaks("use [redacted] now") is None


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Bearer abc.def-123", "Bearer [redacted]"),
        ("authorization: bearer my-secret", "authorization: bearer [redacted]"),
        ("the bearer of good news wants Bearer authentication.", "the bearer of good news wants Bearer authentication."),
        ("task-management-software-for-humans-2024", "task-management-software-for-humans-2024"),
        ("see sk-learn-for-absolute-beginners", "see sk-learn-for-absolute-beginners"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE cut off", "[redacted]"),
    ],
)
def test_what_only_looks_like_a_token_stays(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted


@pytest.mark.parametrize("key", SECRET_KEYS.split())
def test_keys_of_secrets(key: str) -> None:
    assert is_secret_key(key)
    assert Redactor().json({key: "x", "other": "y"}) == {key: PLACEHOLDER, "other": "y"}


@pytest.mark.parametrize("key", OTHER_KEYS.split())
def test_keys_of_other_things(key: str) -> None:
    assert not is_secret_key(key)


def test_everything_under_a_secret_key_goes_but_null_and_shape() -> None:
    value: JSON = {"password": {"old": "a", "new": None, "pin": [1, True, ""]}, "api_key": None, "secret": {"$bytes": "aGVsbG8="}}
    assert Redactor().json(value) == {
        "password": {"old": PLACEHOLDER, "new": None, "pin": [PLACEHOLDER] * 3},
        "api_key": None,
        "secret": PLACEHOLDER,
    }


def test_the_environment_names_its_secrets() -> None:
    environ = {
        "OPENAI_API_KEY": "abcdefgh",
        "GH_TOKEN": " abcdefghi\n",
        "PGPASSWORD": "short",
        "HOME": "/home/somebody",
        "google_credentials": "abcdefghij",
    }
    assert known_secrets(environ) == {"abcdefgh", "abcdefghi", "abcdefghij"}


def test_a_known_value_goes_wherever_it_stands() -> None:
    assert REDACTOR.json({"say hunter2-hunter2": [f"<{KNOWN}>"]}) == {"say [redacted]": ["<[redacted]>"]}
    assert REDACTOR.leaks(json.dumps({"a": KNOWN})) == "the value of a known secret"
    assert Redactor(known=frozenset({"redacted"})).text("redacted [redacted]") == "[redacted] [redacted]"
    assert Redactor(known=frozenset({"recorded"})).leaks("recorded: {}") is None


def test_two_secrets_as_keys_stay_two_keys() -> None:
    assert Redactor().json({TOKENS["AWS key"]: 1, TOKENS["JWT"]: 2}) == {PLACEHOLDER: 1, f"{PLACEHOLDER}#2": 2}


def test_users_have_rules_of_their_own() -> None:
    redactor = Redactor().with_rule(r"\d{4}-\d{4}", "<card>").with_rule(re.compile("(?i)ada")).with_rule(lambda text: text.replace("Bob", "<name>"))
    assert redactor.text("Ada and Bob paid 1234-5678") == "[redacted] and <name> paid <card>"
    assert Redactor().with_rule("a", "aa").text("aaa b") == Redactor().with_rule("a", "aa").text("aaaa b")


@pytest.mark.parametrize("pattern", ["(", 3, None])
def test_what_is_no_rule_is_refused(pattern: object) -> None:
    with pytest.raises(ConfigurationError):
        Redactor().with_rule(pattern)  # type: ignore[arg-type]  # that is the test


def test_a_rule_that_never_settles_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="never settle"):
        Redactor().with_rule(lambda text: text + "!").text("a")


@given(values)
def test_redacting_is_idempotent_and_complete(value: JSON) -> None:
    redacted = REDACTOR.json(value)
    assert REDACTOR.json(redacted) is redacted
    assert REDACTOR.leaks(json.dumps(redacted)) is None
    for secret in (*TOKENS.values(), KNOWN, "hunter2-hunter2"):
        assert json.dumps(secret)[1:-1] not in json.dumps(redacted)


@given(values)
def test_what_is_clean_is_the_same_object(value: JSON) -> None:
    if REDACTOR.json(value) == value:
        assert REDACTOR.json(value) is value


@given(innocent, secrets, innocent)
def test_nothing_beside_a_secret_changes(before: str, secret: str, after: str) -> None:
    assert REDACTOR.text(f"{before} {secret} {after}") == f"{before} [redacted] {after}"


@given(innocent, secrets, st.lists(st.integers(0, 80), max_size=6))
def test_a_secret_in_pieces_is_found(before: str, secret: str, cuts: list[int]) -> None:
    whole = f"{before} {secret} said"
    at = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    parts = [whole[start:end] for start, end in pairwise(at)]
    redacted = redact_pieces(parts, REDACTOR.text)
    assert "".join(redacted) == REDACTOR.text(whole)
    assert len(redacted) == len(parts)
    assert redact_pieces(redacted, REDACTOR.text) == redacted


@given(st.text("ab:[]redct", min_size=1, max_size=5), st.text("ab:[]redct", max_size=12))
def test_it_is_idempotent_even_where_a_secret_spells_a_piece_of_the_placeholder(secret: str, text: str) -> None:
    redactor = Redactor(known=frozenset({secret}))
    once = redactor.text(text)
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "sk-",
        "eyJ",
        "bearer ",
        "-----BEGIN ",
        "-----BEGIN A",
        "eyJabcdefgh.",
        "xox",
        "ghp_",
        "sk-ant-",
        "A",
        "AKIA",
        "\\",
        '"api_key": "',
        "a://",
        "cookie: a=",
        "?api_key=",
        "own\\",
    ],
)
def test_no_text_makes_the_search_slow(piece: str) -> None:
    started = process_time()
    REDACTOR.text(piece * (100_000 // len(piece)))
    assert process_time() - started < 2.0


def found_by_scanner(path: Path, text: str) -> set[str]:
    """What kinds of secrets a scanner of repositories finds in a file of that text."""
    path.write_text(text, encoding="utf-8")
    found = SecretsCollection()
    with default_settings():
        found.scan_file(str(path))
    return {secret.type for _, secret in found}


def test_a_scanner_of_repositories_finds_nothing_where_secrets_were(tmp_path: Path) -> None:
    """What the placeholder stands for is found; the placeholder is not."""
    said: JSON = {**TOKENS, **dict.fromkeys(SECRET_KEYS.split(), "hunter2-hunter2-4711"), "url": "https://ada:" + "hunter2-4711@example.org/"}
    signals = [
        Signal(signal_id(1), "said", said, "2026-11-20T10:00:00.000Z"),
        Signal(signal_id(2), "told", json.dumps(said), "2026-11-20T10:00:00.000Z"),
    ]
    entries = (Entry("log-in", said, Returned([said, json.dumps(said)])),)
    recording = Recording(RecordingMetadata("rec_5f2c1e9ab3d4", status="completed"), said, said, entries, Trace(signals))
    redacted = encode(Cassette((cleaned_recording(recording, Cleaning(REDACTOR.json)),)))
    assert len(found_by_scanner(tmp_path / "plain.yaml", encode(Cassette((recording,))))) > 5
    assert found_by_scanner(tmp_path / "redacted.yaml", redacted) == set()
    assert "4711" not in redacted


@given(st.text(min_size=8, max_size=20), values, st.integers(0, 3))
def test_a_known_value_is_gone_however_deep_it_is_quoted(secret: str, value: JSON, depth: int) -> None:
    redactor = Redactor(known=frozenset({secret}))
    quoted = secret
    for _ in range(depth):
        quoted = json.dumps(quoted)
    planted: JSON = {"before": value, "in": [f"<{quoted}>"], f"key {secret}": 1}
    redacted = redactor.json(planted)
    assert redactor.json(redacted) is redacted
    if secret.strip("[]redact# ") and secret not in PLACEHOLDER:
        texts = [*redacted["in"], *redacted]  # type: ignore[call-overload,index,misc]  # it is the dict from above
        assert not any(json.dumps(secret)[1:-1] in text.replace(PLACEHOLDER, "") for text in texts if secret not in "<key in before>")


@pytest.mark.parametrize("around", [b"<%s>", b"\xff\x00<%s>\xfe", b'{"deep": "%s"}', b"%s"], ids=["text", "no text", "json", "alone"])
def test_what_is_secret_in_bytes_is_taken_out_of_them_and_they_stay_bytes(around: bytes) -> None:
    redactor = Redactor(frozenset({"correct-horse"}))
    spelled = base64.b64encode(around % b"correct-horse").decode()
    clean = redactor.json({"$bytes": spelled})
    assert clean == {"$bytes": base64.b64encode(around % b"[redacted]").decode()}
    assert redactor.json(clean) is clean
    assert base64.b64encode(spelled.encode()).decode() != redactor.text(base64.b64encode(spelled.encode()).decode())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_known_value_is_gone_however_often_a_url_quotes_it(depth: int) -> None:
    secret = quoted = 'a/b+ü "9%'
    for _ in range(depth):
        quoted = quote(quoted, safe="")
    assert Redactor(frozenset({secret})).text(f"https://example.org/?q={quoted}&r=1") == "https://example.org/?q=[redacted]&r=1"


def test_a_token_in_the_fragment_of_a_url_is_taken_out() -> None:
    assert Redactor().text("https://example.org/done#access_token=4711&state=3") == "https://example.org/done#access_token=[redacted]&state=3"


@pytest.mark.parametrize("word", ["Basic", "basic"])
def test_a_user_and_a_password_behind_basic_are_taken_out_and_prose_about_them_stays(word: str) -> None:
    login = base64.b64encode(b"ada:hunter2").decode()
    assert Redactor().text(f"curl -H {word} {login} now") == f"curl -H {word} [redacted] now"
    for prose in ("knowledge of it", "authentication", "abcdefghijkl", "dXNlcg=="):
        assert Redactor().text(f"{word} {prose}") == f"{word} {prose}"
