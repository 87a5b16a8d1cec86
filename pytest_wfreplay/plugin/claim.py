"""A test's claim to a cassette: the file, what both are called, what people type, and what must not be shown of either."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_wfreplay.errors import CassetteError, SecretLeakError, WfreplayError
from pytest_wfreplay.learnt import Learning
from pytest_wfreplay.plugin import commands
from pytest_wfreplay.plugin.rivals import called
from pytest_wfreplay.recording.cassette import MAX_BYTES
from pytest_wfreplay.recording.hiding import is_path
from pytest_wfreplay.redact import PLACEHOLDER
from pytest_wfreplay.stores.cassette_file import CassetteFile

if TYPE_CHECKING:
    import pytest

    from pytest_wfreplay.jsonable import JSON
    from pytest_wfreplay.plugin.rivals import Plan
    from pytest_wfreplay.plugin.settings import Settings
    from pytest_wfreplay.redact import Redactor

__tracebackhide__ = True


class Claim:
    """What one test has to do with its cassette's file."""

    def __init__(self, item: pytest.Item, plan: Plan, settings: Settings, redactor: Redactor) -> None:
        self.item = item
        self.settings = settings
        self.plan = plan
        self.wishes = plan.wishes
        self._learning = Learning(redactor, os.environ, told=self.has_learnt)
        self.path: Path = plan.path or settings.cassette_dir
        #: The folder that the cassette must lie in.
        self.folder: Path = settings.cassette_dir
        self._hiding = settings.hiding()
        self._selected: tuple[Redactor, str] | None = None

    @property
    def redactor(self) -> Redactor:
        """Takes secrets out, of which more may be known at any time."""
        return self._learning.redactor

    def has_learnt(self) -> None:
        """The environment has learnt a secret: what was told before may hold it."""

    @property
    def command(self) -> str:
        """What records this test again."""
        return commands.record(self.selection)

    @property
    def selection(self) -> str:
        """The test as people type it; with all its parameters where one of them is a secret."""
        if self._selected is None or self._selected[0] is not self.redactor:
            nodeid = self.item.nodeid
            clean = self.redactor.text
            self._selected = (self.redactor, nodeid if clean(nodeid) == nodeid else clean(nodeid.partition("[")[0]))
        return self._selected[1]

    @property
    def shown(self) -> str:
        """The cassette as people are shown it."""
        return self._shown(self.path)

    def redact(self, *rules: str | re.Pattern[str] | Callable[[str], str], replacement: str = PLACEHOLDER) -> None:
        """Take more out of what is kept, compared and shown. Raises `ConfigurationError` for what is neither a path nor a rule."""
        for rule in rules:
            if is_path(rule):
                self._hiding.add([str(rule)])
            else:
                self._learning.redactor = self.redactor.with_rule(rule, replacement)

    def clean(self, value: JSON) -> JSON:
        """A JSON value without secrets."""
        return self.redactor.json(value)

    def cleaned_text(self, text: str) -> str:
        """A text without secrets."""
        return self.redactor.text(text)

    @property
    def file(self) -> CassetteFile:
        """The file of the cassette."""
        limit = self.settings.max_bytes or MAX_BYTES
        return CassetteFile(self.path, command=self.command, max_bytes=limit, test=self.owner, leak=self._leak)

    def _leak(self, text: str) -> int | None:
        # Asked for late: rules are added while the test runs.
        return self.redactor.leaked_at(text)

    @property
    def owner(self) -> str | None:
        """The name by which this test's runs are known in a cassette that it shares; None in one of its own."""
        return None if self.wishes.cassette is None else called(self.item, self.redactor)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what is wrong with a cassette's file as this test's people know the file, and with the command that helps."""
        try:
            yield
        except CassetteError as error:
            hint = error.hint.replace("pytest --record.", f"{self.command}.")
            raise type(error)(self._shown(Path(error.path)), error.problem, line=error.line, hint=hint) from None
        except SecretLeakError as error:
            error.args = (str(error).replace(error.path, self._shown(Path(error.path))),)
            # What was heard before anybody knew that it was a secret does not stay, either.
            with contextlib.suppress(WfreplayError):
                self.file.partial()
            raise

    def _shown(self, path: Path) -> str:
        return str(path).removeprefix(f"{self.settings.root}{os.sep}")
