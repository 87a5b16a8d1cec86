"""What secrets look like: the shapes of tokens, the names of keys and headers, and the places in a text that are spelled like those.

A shape names the substrings of which one stands wherever it does; a text without any of them is not searched. Shapes say what a token looks like
in the wild, so that prose about tokens (`Bearer authentication`, `sk-learn-for-absolute-beginners`, `max_tokens`) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple


class Shape(NamedTuple):
    """What a service's tokens look like. A group `lead` is what stands before the secret and stays."""

    name: str
    markers: tuple[str, ...]
    regex: str


#: What may stand between a header's name and its value, in a dump of headers as in JSON or in code.
_IS = r"""\\*["']?[ \t]*[:=,][ \t]*\\*["']?"""

SHAPES: Final = (
    Shape("PEM block", ("-----BEGIN ",), r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)"),
    Shape("Anthropic key", ("sk-",), r"sk-ant-[A-Za-z0-9_-]{8,}"),
    Shape("OpenAI key", ("sk-",), r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{8,}"),
    # The old spelling wants an unbroken run or a digit, or `sk-learn-for-absolute-beginners` would be one; and `task-…` is none.
    Shape("OpenAI key", ("sk-",), r"(?<![A-Za-z0-9])sk-(?:[A-Za-z0-9]{20,}[A-Za-z0-9_-]*|(?=[A-Za-z_-]{0,60}[0-9])[A-Za-z0-9_-]{12,})"),
    Shape("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{10,}"),
    Shape("GitHub token", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{10,}"),
    Shape(
        "GitLab token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glimt-", "glagent-", "gloas-", "glsoat-", "glffct-"),
        r"gl(?:pat|dt|rt|ptt|cbt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*",
    ),
    Shape("AWS key", ("AKIA", "ASIA", "ABIA", "ACCA", "AGPA", "AIDA", "AROA", "ANPA", "ANVA"), r"A(?:KI|SI|BI|CC|GP|ID|RO|NP|NV)A[A-Z0-9]{16}"),
    Shape("Google key", ("AIza", "ya29.", "GOCSPX-"), r"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{16,}|GOCSPX-[A-Za-z0-9_-]{16,}"),
    Shape("Slack token", ("xox", "xapp-"), r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}"),
    Shape("Slack web hook", ("hooks.slack.com",), r"hooks\.slack\.com/services/[A-Za-z0-9/_-]{8,}"),
    Shape("JWT", ("eyJ",), r"eyJ[A-Za-z0-9_-]{6,2000}+\.[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]*"),
    # Prose says "bearer authentication" too.
    Shape(
        "bearer token",
        ("earer", "EARER"),
        r"(?P<lead>[Bb]earer\s+|BEARER\s+)(?!(?:[Aa]uthenti|[Aa]uthori|[Cc]ertificat|[Cc]redential|[Ss]ecurit|[Tt]oken)[a-z]*\b)[A-Za-z0-9._~+/=-]{6,}",
    ),
    Shape(
        "authorization header",
        ("uthorization", "UTHORIZATION"),
        rf"(?P<lead>[Aa]uthorization{_IS}|AUTHORIZATION{_IS})(?:[Bb]asic|Digest|Negotiate|NTLM|[Tt]oken|[Aa]pi[Kk]ey|AWS4-[A-Z0-9-]+)"
        r"[ \t]+[^\s<>{}][^\r\n\"'\\]+",
    ),
    Shape(
        "cookie header",
        ("ookie", "OOKIE"),
        rf"(?P<lead>(?:[Ss]et-)?[Cc]ookie{_IS}|COOKIE{_IS})[^\s=;,:\"'\\<>{{}}]{{1,100}}=[^\s;,\"'\\<>{{}}]{{4,}}(?:;[^\r\n\"'\\]*)?",
    ),
    Shape("API key header", ("-api-key", "-Api-Key", "-API-Key", "-API-KEY"), rf"(?P<lead>[Xx]-(?i:api-key){_IS})[^\s\"'\\<>{{}}$]{{6,}}"),
    Shape("password in a URL", ("://",), r"(?P<lead>[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@\"'\\<>{}\[\]]{0,100}:)[^\s/@\"'\\<>{}\[\]$]{1,200}(?=@)"),
)

#: No shape fits into fewer characters, and most pieces of streamed text are shorter.
SHORTEST_SHAPE: Final = 8

#: Where any of them stands, a shape may.
MARKERS: Final = tuple(sorted({marker for shape in SHAPES for marker in shape.markers}))

_SECRET_KEY: Final = re.compile(
    r"(?:proxy_)?authorization|(?:set_)?cookie|(?!(?:is|has|needs?|requires?|uses?|allows?|shows?|no)_)(?:.*_)?"
    r"(?:api_?key|password|passwd|passphrase|secret|(?:access|refresh|auth|session|bearer)_?token|(?:private|secret|access)_?key)s?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)

#: What stands in every name of a secret, in lower case.
_NAME_MARKERS: Final = ("authorization", "cookie", "passw", "passphrase", "secret", "token", "key")

#: A key and its value as JSON or Python spell them inside a text, however often their quotes are escaped; a value that is no text loses its looks.
_QUOTED: Final = re.compile(
    r"""(?P<quote>\\{0,7}["'])(?P<key>[\w\- ]{4,60})(?P=quote)\s*:\s*(?:(?P=quote)(?P<text>.*?)(?<!\\)(?P=quote)|(?P<number>-?\d[\w.+-]*))""",
    re.DOTALL,
)
#: A key and its value in a query or a form.
_QUERY: Final = re.compile(r"""(?<=[?&#])(?P<key>[\w.\-]{4,60})=(?P<text>[^&;#\s"'<>\\]+)""")
#: A line of a file of settings.
_SETTING: Final = re.compile(r"^(?P<lead>(?:export[ \t]+)?(?P<key>[A-Z][A-Z0-9_]{3,60})=[\"']?)(?P<text>[^\s\"'$][^\r\n\"']*)", re.MULTILINE)


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Whether a dict's key or a header's name says that its value is a secret: `apiKey`, `db_password`; not `max_tokens`, `has_password`."""
    spelled = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-\s]", "_", key)
    return _SECRET_KEY.fullmatch(spelled) is not None


def is_header(name: str) -> bool:
    """Whether it is the name of an HTTP header whose value is a secret."""
    return name.lower() in _HEADERS


_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"})


def shapes_in(text: str) -> tuple[int, ...]:
    """Which of the shapes may stand in a text, by their markers."""
    if len(text) < SHORTEST_SHAPE:
        return ()
    found = [marker for marker in MARKERS if marker in text]
    return tuple(at for at, shape in enumerate(SHAPES) if any(marker in found for marker in shape.markers)) if found else ()


def has_named_values(text: str) -> bool:
    """Whether something may stand in a text that is spelled as a key and its value, where the key is that of a secret."""
    if len(text) < SHORTEST_SHAPE or not ("=" in text or '":' in text or "':" in text or '" :' in text):
        return False
    lowered = text.lower()
    return any(marker in lowered for marker in _NAME_MARKERS)


def without_named_values(text: str, placeholder: str) -> str:
    """The text in which each value becomes the placeholder whose key is that of a secret: in JSON, a query or settings inside of it."""
    if '":' in text or "':" in text or '" :' in text:
        text = _QUOTED.sub(_quoted(placeholder), text)
    if "=" in text:
        text = _SETTING.sub(lambda found: f"{found['lead']}{placeholder}" if _is_to_go(found["key"], found["text"], placeholder) else found[0], text)
        text = _QUERY.sub(lambda found: f"{found['key']}={placeholder}" if _is_to_go(found["key"], found["text"], placeholder) else found[0], text)
    return text


def _quoted(placeholder: str) -> Callable[[re.Match[str]], str]:
    def replaced(found: re.Match[str]) -> str:
        if not _is_to_go(found["key"], found["text"] or found["number"] or "", placeholder):
            return found[0]
        opens = "" if found["text"] is not None else found["quote"]
        lead = found.string[found.start() : found.start("number" if opens else "text")]
        return f"{lead}{opens}{placeholder}{found['quote']}"

    return replaced


def _is_to_go(key: str, value: str, placeholder: str) -> bool:
    return bool(value) and value != placeholder and is_secret_key(key.strip())
