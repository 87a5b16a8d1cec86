"""Places whose values are secret whatever they look like: `redact` paths, spelled as those of `ignore`, at which the placeholder stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.recording.ignoring import WHOLE_SIGNAL, Ignoring
from pytest_wfreplay.recording.omission import Omission
from pytest_wfreplay.redact import PLACEHOLDER
from pytest_wfreplay.typed import VALUE_TAG

if TYPE_CHECKING:
    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.recording.omission import Path


def is_path(text: object) -> bool:
    """Whether a text is meant as a path, not as a regular expression: it begins as paths do, or nearly so."""
    return isinstance(text, str) and re.match(r"states?[.\[]|steps?\[|signals?\[", text) is not None


@dataclass(slots=True)
class Hiding:
    """The places that are hidden. Not frozen: a test may hide more while it runs.

    Raises:
        ConfigurationError: a path that is none.
    """

    paths: Sequence[str] = ()
    _places: Ignoring = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._places = _places(self.paths)

    def __bool__(self) -> bool:
        return bool(self.paths)

    def add(self, paths: Iterable[str]) -> None:
        """Hide more. Raises `ConfigurationError` for a path that is none."""
        more = (*self.paths, *paths)
        self._places = _places(more)
        self.paths = more

    def state(self, value: JSON) -> JSON:
        """A state, in the JSON form with tags, with the placeholder for what is hidden."""
        return self._hidden(value, self._places.of_state())

    def input(self, key: str, value: JSON) -> JSON:
        """The input of the step of that key."""
        return self._hidden(value, self._places.of_input(key))

    def output(self, key: str, value: JSON) -> JSON:
        """The output of the step of that key."""
        return self._hidden(value, self._places.of_output(key))

    def payload(self, name: str, payload: JSON, *, step: str | None = None) -> JSON:
        """The payload of a signal of that name; `step` is the key of the step that a harness signal belongs to."""
        return self._hidden(payload, self._places.of_signal(name, payload, step=step)) if self.paths else payload

    def compared(self, what: object, value: JSON) -> JSON:
        """A value of this run that is about to be compared; `what` says which, where it is an omission."""
        if not self.paths or not isinstance(what, Omission):
            return value
        if what.subject == "state":
            return self.state(value)
        hide = {"input": self.input, "output": self.output}.get(what.subject)
        return value if hide is None or what.key is None else hide(what.key, value)

    @staticmethod
    def _hidden(value: JSON, omission: Omission) -> JSON:
        return _with_placeholders(value, omission.paths, tagged=omission.tagged)


def _places(paths: Sequence[str]) -> Ignoring:
    """The places, found as those that are ignored are; a whole signal is its whole payload."""
    try:
        return Ignoring(tuple(f"{path}.payload" if re.fullmatch(WHOLE_SIGNAL, path) else path for path in paths))
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("Not a path to ignore", "Not a path to redact"), hint=error.hint) from None


def _with_placeholders(value: JSON, paths: Sequence[Path], *, tagged: bool) -> JSON:
    if not paths:
        return value
    if () in paths:
        return PLACEHOLDER
    if isinstance(value, list):
        items = []
        for at, item in enumerate(value):
            below = [path[1:] for path in paths if path[0].is_index(at, len(value))]
            items.append(_with_placeholders(item, below, tagged=tagged))
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return value
    if tagged and len(value) == 1 and (tag := next(iter(value))).startswith("$"):
        inner = value[tag]
        return {VALUE_TAG: _with_placeholders(inner, paths, tagged=True)} if tag == VALUE_TAG and isinstance(inner, dict) else value
    found = {key: _with_placeholders(item, [path[1:] for path in paths if path[0].is_key(key)], tagged=tagged) for key, item in value.items()}
    return value if all(found[key] is item for key, item in value.items()) else found
