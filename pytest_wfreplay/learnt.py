"""Secrets that the environment learns while somebody records: by a test's `monkeypatch.setenv`, by a `load_dotenv` in the code under test.

An audit hook hears each variable that is set, so that nobody has to look through the environment for every value that is kept. It cannot be removed:
there is one for the whole process.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.redact import known_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.redact import Redactor

#: The secrets that were set since we listen, in the order in which they came.
_heard: list[str] = []


def _nothing() -> None:
    """Nobody is to be told."""


class Learning:
    """A redactor that goes on learning: what `environ` keeps secret when it is made, and what the process's environment is told from then on.

    `told` is called when something was learnt, before the redactor that knows it is used.
    """

    def __init__(self, redactor: Redactor, environ: Mapping[str, str], *, told: Callable[[], None] = _nothing) -> None:
        _listen()
        self._told = told
        self._seen = len(_heard)
        self._redactor = redactor.knowing(known_secrets(environ))

    @property
    def redactor(self) -> Redactor:
        """Takes out all that is known by now."""
        if len(_heard) > self._seen:
            new, self._seen = frozenset(_heard[self._seen :]), len(_heard)
            before, self._redactor = self._redactor, self._redactor.knowing(new)
            if self._redactor is not before:
                self._told()
        return self._redactor

    @redactor.setter
    def redactor(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def json(self, value: JSON) -> JSON:
        """A JSON value without what is known by now."""
        return self.redactor.json(value)

    def leaked_at(self, text: str) -> int | None:
        """Where in the text of a file something stands that is known by now."""
        return self.redactor.leaked_at(text)


@functools.cache
def _listen() -> None:
    sys.addaudithook(_heed)


def _heed(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook: called for whatever the interpreter tells, so most calls end in the first line."""
    if event == "os.putenv":
        name, value = map(os.fsdecode, args)
        _heard.extend(known_secrets({name: value}))


#: Or no debugger could step into it, and nobody would know which of its lines our tests run.
_heed.__cantrace__ = True  # type: ignore[attr-defined]  # the name by which the interpreter asks
