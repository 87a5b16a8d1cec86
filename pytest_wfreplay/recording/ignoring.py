"""What a comparison does not look at: the `ignore` paths of a marker, compiled once and asked per step and per signal.

1. A value in which nothing is ignored is given back as it is, the same object; else as a copy without the ignored places.
2. All paths are applied at once, so that taking one item out of a list does not renumber it for the next path.
3. A signal that repeats a state's field or a step's input or output is covered by the path of that state or step.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.pattern import Pattern, as_pattern
from pytest_wfreplay.typed import VALUE_TAG

FORMS: Final = (
    "state.<field>",
    "steps[<key glob>].input.<path>",
    "steps[<key glob>].output.<path>",
    "signals[<pattern>].payload.<path>",
)


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a path: a key or an index, with `*` for any run of characters; one in quotes stands for itself."""

    text: str
    regex: re.Pattern[str] | None

    def is_key(self, key: str) -> bool:
        return key == self.text if self.regex is None else self.regex.fullmatch(key) is not None

    def is_index(self, at: int, length: int) -> bool:
        return self.is_key(str(at)) or self.is_key(str(at - length))


#: The way down to one ignored place; the empty one is the whole value.
_Path: TypeAlias = tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    """The paths, sorted by what they are asked for."""

    state: list[_Path] = field(default_factory=list)
    input: list[tuple[re.Pattern[str], _Path]] = field(default_factory=list)
    output: list[tuple[re.Pattern[str], _Path]] = field(default_factory=list)
    payload: list[tuple[Pattern, _Path]] = field(default_factory=list)
    dropped: list[Pattern] = field(default_factory=list)
    #: The answers given so far: (what was asked for, key or name, step's key).
    answers: dict[tuple[str, str, str | None], list[_Path]] = field(default_factory=dict)
    drops: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ignoring:
    """The places that are not compared.

    They are spelled `state.<field>`, `steps[<key glob>].input.<path>`, `steps[…].output.<path>` and `signals[<pattern>].payload.<path>`.
    Paths go deeper by `.key` and `[index]`, with `*` for any key or index (`state.items[*].id`) and quotes around what is meant literally
    (`state["a.b"]`). Without a path the whole input, output or payload is meant, without `.payload` the whole signal. A key glob
    without `#` and `/` names an agent's harness steps too: `steps[classify]` is `classify` and `classify#1/harness`.

    Raises:
        ConfigurationError: a path that is none of these.
    """

    paths: Sequence[str] = ()
    _rules: _Rules = field(init=False, repr=False, compare=False, default_factory=_Rules)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", (self.paths,) if isinstance(self.paths, str) else tuple(self.paths))
        for path in self.paths:
            _enter(path, self._rules)

    def __bool__(self) -> bool:
        return bool(self.paths)

    def state(self, value: JSON) -> JSON:
        """A state, in the JSON form with tags, without its ignored fields."""
        return _without(value, self._rules.state, tagged=True)

    def input(self, key: str, value: JSON) -> JSON:
        """The input of the step of that key, in the JSON form with tags; None where all of it is ignored."""
        return _without(value, self._of_step("input", key), tagged=True)

    def output(self, key: str, value: JSON) -> JSON:
        """The output of the step of that key, in the JSON form with tags; None where all of it is ignored."""
        return _without(value, self._of_step("output", key), tagged=True)

    def payload(self, name: str, payload: JSON, *, step: str | None = None) -> JSON:
        """The payload of a signal of that name; None where all of it is ignored.

        `step` is the key of the step that a harness signal belongs to; step signals name theirs themselves.
        """
        if not self.paths:
            return payload
        if name in {"step:start", "step:end"} and isinstance(payload, dict):
            named = payload.get("step")
            step = named if isinstance(named, str) else step
        asked = ("payload", name, step)
        paths = self._rules.answers.get(asked)
        if paths is None:
            paths = self._rules.answers[asked] = [*self._of_name(name), *self._of_field(name), *self._of_repeated(name, step)]
        return _without(payload, paths, tagged=False)

    def drops_signal(self, name: str) -> bool:
        """Whether signals of that name are ignored as a whole."""
        drops = self._rules.drops
        if name not in drops:
            drops[name] = any(pattern.matches_name(name) for pattern in self._rules.dropped)
        return drops[name]

    def _of_step(self, side: str, key: str) -> list[_Path]:
        asked = (side, key, None)
        paths = self._rules.answers.get(asked)
        if paths is None:
            rules = self._rules.input if side == "input" else self._rules.output
            paths = self._rules.answers[asked] = [path for glob, path in rules if glob.fullmatch(key)]
        return paths

    def _of_name(self, name: str) -> list[_Path]:
        return [path for pattern, path in self._rules.payload if pattern.matches_name(name)]

    def _of_field(self, name: str) -> list[_Path]:
        """A state's field as `state:<field>:changed` shows it."""
        changed = _CHANGED.fullmatch(name)
        if changed is None:
            return []
        below = [path[1:] for path in self._rules.state if path[0].is_key(changed[1])]
        return [(_Part(side, None), *path) for side in ("old_value", "new_value") for path in below]

    def _of_repeated(self, name: str, step: str | None) -> list[_Path]:
        """A step's input or output as the signals at its beginning and end show it."""
        side = _SIDES.get(name)
        if side is None or step is None:
            return []
        return [(_Part(side, None), *path) for path in self._of_step(side, step)]


_CHANGED: Final = re.compile(r"state:(.+):changed", re.DOTALL)
_SIDES: Final = {"harness:start": "input", "harness:end": "output", "step:start": "input", "step:end": "output"}

#: What stands between brackets; brackets in it come in pairs, as in `steps[page[3]]`.
_BRACKETED = r"\[((?:[^\[\]]|\[[^\[\]]*\])+)\]"
_STEP: Final = re.compile(rf"steps{_BRACKETED}\.(input|output)(?=[.\[]|\Z)(.*)", re.DOTALL)
_SIGNAL: Final = re.compile(rf"signals{_BRACKETED}(?:(\.payload)(?=[.\[]|\Z)(.*))?", re.DOTALL)
_PART: Final = re.compile(r"""\.([^.\[\]]+)|\[(-?\d+|\*)\]|\[(?:"([^"]+)"|'([^']+)')\]""")


def _enter(path: str, rules: _Rules) -> None:
    if not isinstance(path, str):
        raise _illegal(path)
    if step := _STEP.fullmatch(path):
        glob, side, rest = step.groups()
        (rules.input if side == "input" else rules.output).append((_key_glob(glob), _parts(rest, path)))
    elif signal := _SIGNAL.fullmatch(path):
        name, payload, rest = signal.groups()
        if payload is None:
            rules.dropped.append(as_pattern(name))
        else:
            rules.payload.append((as_pattern(name), _parts(rest, path)))
    elif path.startswith(("state.", "state[")):
        rules.state.append(_parts(path.removeprefix("state"), path))
    else:
        raise _illegal(path)


def _parts(text: str, path: str) -> _Path:
    """The way down that `.user.items[*]` spells."""
    parts: list[_Part] = []
    end = 0
    while end < len(text):
        found = _PART.match(text, end)
        if found is None:
            raise _illegal(path)
        key, index, *quoted = found.groups()
        literal = quoted[0] or quoted[1]
        parts.append(_Part(literal, None) if literal else _globbed(key or index))
        end = found.end()
    return tuple(parts)


def _globbed(text: str) -> _Part:
    return _Part(text, re.compile(_any_run(text), re.DOTALL) if "*" in text else None)


def _key_glob(glob: str) -> re.Pattern[str]:
    regex = _any_run(glob)
    if "#" not in glob and "/" not in glob:
        regex += rf"|(?:.*/)?{regex}#\d+/harness"
    return re.compile(regex, re.DOTALL)


def _any_run(glob: str) -> str:
    return ".*".join(re.escape(literal) for literal in glob.split("*"))


def _illegal(path: object) -> ConfigurationError:
    return ConfigurationError(
        f"Not a path to ignore: {path!r}. The forms are {', '.join(FORMS)}; `*` stands for any key or index.",
        hint='For instance "state.user.updated_at", "steps[classify].input.model" or "signals[tool:*].payload.id".',
    )


def _without(value: JSON, paths: Sequence[_Path], *, tagged: bool) -> JSON:
    """The value without the places that the paths lead to; `tagged` says that a dict with one `$` key is a typed value."""
    if not paths:
        return value
    if () in paths:
        return None
    if isinstance(value, list):
        return _list_without(value, paths, tagged=tagged)
    if not isinstance(value, dict):
        return value
    if tagged and len(value) == 1:
        [(tag, spelled)] = value.items()
        if tag == VALUE_TAG and isinstance(spelled, dict):
            kept = _dict_without(spelled, paths, tagged=True)
            return value if kept is spelled else {VALUE_TAG: kept} if any(key.startswith("$") for key in kept) else kept
        if tag.startswith("$"):
            return value
    return _dict_without(value, paths, tagged=tagged)


def _dict_without(value: dict[str, JSON], paths: Sequence[_Path], *, tagged: bool) -> dict[str, JSON]:
    kept: dict[str, JSON] = {}
    is_whole = True
    for key, item in value.items():
        below = [path[1:] for path in paths if path[0].is_key(key)]
        if () in below:
            is_whole = False
            continue
        kept[key] = _without(item, below, tagged=tagged)
        is_whole = is_whole and kept[key] is item
    return value if is_whole else kept


def _list_without(value: list[JSON], paths: Sequence[_Path], *, tagged: bool) -> list[JSON]:
    kept: list[JSON] = []
    is_whole = True
    for at, item in enumerate(value):
        below = [path[1:] for path in paths if path[0].is_index(at, len(value))]
        if () in below:
            is_whole = False
            continue
        kept.append(_without(item, below, tagged=tagged))
        is_whole = is_whole and kept[-1] is item
    return value if is_whole else kept
