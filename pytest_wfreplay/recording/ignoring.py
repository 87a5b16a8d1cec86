"""What a comparison does not look at: the `ignore` paths of a marker, compiled once and asked per step and per signal.

1. A value in which nothing is ignored is given back as it is, the same object; else as a copy without the ignored places.
2. All paths are applied at once, so that taking one item out of a list does not renumber it for the next path.
3. A signal that repeats a state's field or a step's input or output is covered by the path of that state or step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.jsonable import JSON
from pytest_wfreplay.pattern import Pattern, as_pattern
from pytest_wfreplay.recording.omission import Omission, Part, Path, Subject

FORMS: Final = (
    "state.<field>",
    "steps[<key glob>].input.<path>",
    "steps[<key glob>].output.<path>",
    "signals[<pattern>].payload.<path>",
)


#: A path, and how the user spelled it.
_Rule: TypeAlias = tuple[Path, str]


@dataclass(frozen=True, slots=True)
class _Rules:
    """The paths, sorted by what they are asked for."""

    state: list[_Rule] = field(default_factory=list)
    input: list[tuple[re.Pattern[str], _Rule]] = field(default_factory=list)
    output: list[tuple[re.Pattern[str], _Rule]] = field(default_factory=list)
    payload: list[tuple[Pattern, _Rule]] = field(default_factory=list)
    dropped: list[tuple[Pattern, str]] = field(default_factory=list)
    #: The answers given so far: (what was asked for, key or name, step's key).
    answers: dict[tuple[Subject, str | None, str | None], Omission] = field(default_factory=dict)
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
    #: Which of them hid a difference, and where.
    hid: dict[str, set[str]] = field(default_factory=dict, repr=False, compare=False)
    _rules: _Rules = field(init=False, repr=False, compare=False, default_factory=_Rules)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", (self.paths,) if isinstance(self.paths, str) else tuple(self.paths))
        for path in self.paths:
            _enter(path, self._rules)

    def __bool__(self) -> bool:
        return bool(self.paths)

    def more(self, paths: Iterable[str]) -> Ignoring:
        """The same with these paths, too. Raises `ConfigurationError` for one that is none."""
        return Ignoring((*self.paths, *paths), self.hid)

    def of_state(self) -> Omission:
        """What is left out of states."""
        return self._omission("state", None, None)

    def of_input(self, key: str) -> Omission:
        """What is left out of the input of the step of that key."""
        return self._omission("input", key, None)

    def of_output(self, key: str) -> Omission:
        """What is left out of the output of the step of that key."""
        return self._omission("output", key, None)

    def of_signal(self, name: str, payload: JSON, *, step: str | None = None) -> Omission:
        """What is left out of the payload of a signal of that name.

        `step` is the key of the step that a harness signal belongs to; step signals name theirs themselves.
        """
        if name in {"step:start", "step:end"} and isinstance(payload, dict):
            named = payload.get("step")
            step = named if isinstance(named, str) else step
        return self._omission("signal", name, step)

    def state(self, value: JSON) -> JSON:
        """A state, in the JSON form with tags, without its ignored fields."""
        return self.of_state()(value)

    def input(self, key: str, value: JSON) -> JSON:
        """The input of the step of that key, in the JSON form with tags; None where all of it is ignored."""
        return self.of_input(key)(value)

    def output(self, key: str, value: JSON) -> JSON:
        """The output of the step of that key, in the JSON form with tags; None where all of it is ignored."""
        return self.of_output(key)(value)

    def payload(self, name: str, payload: JSON, *, step: str | None = None) -> JSON:
        """The payload of a signal of that name; None where all of it is ignored."""
        return self.of_signal(name, payload, step=step)(payload) if self.paths else payload

    def drops_signal(self, name: str) -> bool:
        """Whether signals of that name are ignored as a whole."""
        drops = self._rules.drops
        if name not in drops:
            drops[name] = any(pattern.matches_name(name) for pattern, _ in self._rules.dropped)
        return drops[name]

    def note_dropped(self, name: str) -> None:
        """Remember that a signal of that name was left out."""
        for rule in self.droppers(name):
            self.hid.setdefault(rule, set()).add(f"signal {name}")

    def droppers(self, name: str) -> Iterator[str]:
        """The paths by which signals of that name are ignored as a whole."""
        return (rule for pattern, rule in self._rules.dropped if pattern.matches_name(name))

    def _omission(self, subject: Subject, key: str | None, step: str | None) -> Omission:
        asked = (subject, key, step)
        answer = self._rules.answers.get(asked)
        if answer is None:
            rules = self._of(subject, key or "", step)
            paths, spelled = [path for path, _ in rules], [rule for _, rule in rules]
            answer = self._rules.answers[asked] = Omission(subject, key, paths, spelled, self.hid, tagged=subject != "signal")
        return answer

    def _of(self, subject: Subject, key: str, step: str | None) -> list[_Rule]:
        if subject == "state":
            return self._rules.state
        if subject != "signal":
            return [rule for glob, rule in (self._rules.input if subject == "input" else self._rules.output) if glob.fullmatch(key)]
        named = [rule for pattern, rule in self._rules.payload if pattern.matches_name(key)]
        return [*named, *self._of_field(key), *self._of_repeated(key, step)]

    def _of_field(self, name: str) -> list[_Rule]:
        """A state's field as `state:<field>:changed` shows it."""
        changed = _CHANGED.fullmatch(name)
        if changed is None:
            return []
        below = [(path[1:], rule) for path, rule in self._rules.state if path[0].is_key(changed[1])]
        return [((Part(side, None), *path), rule) for side in ("old_value", "new_value") for path, rule in below]

    def _of_repeated(self, name: str, step: str | None) -> list[_Rule]:
        """A step's input or output as the signals at its beginning and end show it."""
        side = _SIDES.get(name)
        return [((Part(side, None), *path), rule) for path, rule in self._of(side, step, None)] if side and step is not None else []


_CHANGED: Final = re.compile(r"state:(.+):changed", re.DOTALL)
_SIDES: Final[dict[str, Subject]] = {"harness:start": "input", "harness:end": "output", "step:start": "input", "step:end": "output"}

#: What stands between brackets; brackets in it come in pairs, as in `steps[page[3]]`.
_BRACKETED = r"\[((?:[^\[\]]|\[[^\[\]]*\])+)\]"
_STEP: Final = re.compile(rf"steps{_BRACKETED}\.(input|output)(?=[.\[]|\Z)(.*)", re.DOTALL)
WHOLE_SIGNAL: Final = rf"signals{_BRACKETED}"
_SIGNAL: Final = re.compile(rf"{WHOLE_SIGNAL}(?:(\.payload)(?=[.\[]|\Z)(.*))?", re.DOTALL)
_PART: Final = re.compile(r"""\.([^.\[\]]+)|\[(-?\d+|\*)\]|\[(?:"([^"]+)"|'([^']+)')\]""")


def _enter(path: str, rules: _Rules) -> None:
    if not isinstance(path, str):
        raise _illegal(path)
    if step := _STEP.fullmatch(path):
        glob, side, rest = step.groups()
        (rules.input if side == "input" else rules.output).append((key_glob(glob), (_parts(rest, path), path)))
    elif signal := _SIGNAL.fullmatch(path):
        name, payload, rest = signal.groups()
        if payload is None:
            rules.dropped.append((as_pattern(name), path))
        else:
            rules.payload.append((as_pattern(name), (_parts(rest, path), path)))
    elif path.startswith(("state.", "state[")):
        rules.state.append((_parts(path.removeprefix("state"), path), path))
    else:
        raise _illegal(path)


def _parts(text: str, path: str) -> Path:
    """The way down that `.user.items[*]` spells."""
    parts: list[Part] = []
    end = 0
    while end < len(text):
        found = _PART.match(text, end)
        if found is None:
            raise _illegal(path)
        key, index, *quoted = found.groups()
        literal = quoted[0] or quoted[1]
        parts.append(Part(literal, None) if literal else _globbed(key or index))
        end = found.end()
    return tuple(parts)


def _globbed(text: str) -> Part:
    return Part(text, re.compile(_any_run(text), re.DOTALL) if "*" in text else None)


def key_glob(glob: str) -> re.Pattern[str]:
    """What a glob over the keys of steps matches; one without `#` and `/` names an agent's harness steps, too."""
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
