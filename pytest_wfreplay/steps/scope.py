"""One run's place in its namespace: the only caller of a journal, and the tap through which every outcome enters a run.

1. `recall` comes before everything else. What the journal knows is not done again.
2. What a step gives is spelled as JSON before its caller sees it, so that a live run sees what its replay will see.
3. What a step raises by itself is an outcome. Being cancelled from outside leaves an entry without one.
4. A step inside a step has the outer step's key as its namespace; what is said there is part of what the outer step said.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from pytest_wfreplay.errors import StepTimeoutError
from pytest_wfreplay.jsonable import JSON, jsonable, plain_json, restore
from pytest_wfreplay.signal import Signal, SignalSource
from pytest_wfreplay.steps.entry import Entry, Raised, Returned, error_of
from pytest_wfreplay.steps.failure import as_replay_will, briefly, outcome_of, rebuild
from pytest_wfreplay.steps.journal import Remembered
from pytest_wfreplay.steps.key import quote, spell_key
from pytest_wfreplay.steps.line import Line

#: What a step does: it gives a value, or something to wait for that gives one.
Work: TypeAlias = Callable[[], object]

#: Takes the name and the payload of a signal that a stream says, and the type of the harness that says it.
Deliver: TypeAlias = Callable[[str, JSON, str], object]

#: Takes the entry of a step that has ended.
Keep: TypeAlias = Callable[[Entry], object]

#: The scope in which steps and runs find themselves: the only "current" thing of the house.
current: ContextVar[Scope | None] = ContextVar("pytest_wfreplay_scope", default=None)


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a step tries: `retries` more tries after the first, each of at most `timeout` seconds."""

    retries: int = 0
    timeout: float | None = None


ONCE = Effort()

#: After so many signals a stream that is played again lets others hear them, or all of them would wait in memory.
_BREATH = 100


class Scope:
    """A namespace in a run: `prefix` is empty or ends with `/`, `origin` is the source of what is said here."""

    __slots__ = ("_say", "is_inside", "line", "origin", "prefix")

    def __init__(
        self, line: Line, prefix: str = "", *, origin: SignalSource | None = None, say: Deliver | None = None, is_inside: bool = False
    ) -> None:
        self.line = line
        self.prefix = prefix
        self.origin = origin
        #: Whether this is inside a step, whose replay skips everything in here.
        self.is_inside = is_inside
        self._say = say

    def below(self, name: str) -> Scope:
        """The scope of a namespace in this one."""
        return Scope(self.line, f"{self.prefix}{quote(name)}/", origin=self.origin, say=self._say, is_inside=self.is_inside)

    def emit(self, name: str, payload: JSON) -> Signal | None:
        """Say something here; None where a stream carries it into the line."""
        if self._say is not None:
            self._say(name, payload, self.origin.harness or "" if self.origin else "")
            return None
        return self.line.emit(name, payload, self.origin)

    def key(self, name: str) -> str:
        """The key of the step of this name that begins now."""
        full = self.prefix + quote(name)
        return spell_key("", full, self.line.count(full))

    async def step(self, key: str, work: Work, given: object = None, effort: Effort = ONCE) -> object:
        """Do some work at most once: what the journal remembers, else what `work` gives, as its replay will give it."""
        key = self.line.journal.named(key)
        remembered = self.line.journal.recall(key, given)
        if remembered is not None:
            waiting = self._repeat(remembered)
            if waiting is not None:
                await waiting
            return _conclude(remembered)
        with self._begun(key, given) as attempt:
            for attempt.number in range(1, effort.retries + 2):
                try:
                    async with _limit(key, effort.timeout):
                        value = work()
                        attempt.value = await value if inspect.isawaitable(value) else value
                    break
                except Exception:
                    if attempt.number > effort.retries:
                        raise
        return attempt.result

    def step_now(self, key: str, work: Work, given: object = None) -> object:
        """The same for work that is done without waiting."""
        key = self.line.journal.named(key)
        remembered = self.line.journal.recall(key, given)
        if remembered is not None:
            if not self.line.repeat(remembered):
                for signal, turn in zip(remembered.signals, remembered.turns, strict=True):
                    self._say_again(signal, turn)
            return _conclude(remembered)
        with self._begun(key, given) as attempt:
            attempt.value = work()
        return attempt.result

    async def stream(self, name: str, given: object, work: Callable[[], Awaitable[JSON]], deliver: Deliver, keep: Keep) -> JSON:
        """The same for work that says signals while it is done; they are part of what is remembered. Its outcome is plain JSON.

        `keep` takes its entry: whoever hears the signals knows whether the run came to its outcome, too.
        """
        key = self.line.journal.named(self.key(name))
        remembered = self.line.journal.recall(key, given)
        if remembered is not None:
            return await self._play(remembered, deliver)
        spelled = jsonable(given, path=f"input of step {key!r}")
        token = current.set(Scope(self.line, key + "/", origin=self.origin, say=deliver, is_inside=True))
        try:
            output = await work()
        except BaseException as error:  # noqa: BLE001 - law 3
            facts = outcome_of(error)
            keep(Entry(key, spelled, None if facts is None else Raised(facts)))
            _raise_as_replay_will(error, facts)
        finally:
            current.reset(token)
        keep(Entry(key, spelled, Returned(jsonable(output))))
        return output

    @contextmanager
    def _begun(self, key: str, given: object) -> Iterator[_Attempt]:
        """The frame around live work: its signals, its scope, and its entry however it ends."""
        spelled = jsonable(given, path=f"input of step {key!r}")
        started = self.emit("step:start", {"step": key, "input": plain_json(given)})
        attempt = _Attempt()
        token = current.set(Scope(self.line, key + "/", origin=self._origin_inside(key, started), say=self._say, is_inside=True))
        try:
            yield attempt
            output = jsonable(attempt.value, path=f"output of step {key!r}")
        except BaseException as error:  # noqa: BLE001 - law 3
            facts = outcome_of(error)
            if facts is None:
                self.line.journal.append(Entry(key, spelled, None, attempt.number))
            else:
                self._append(Entry(key, spelled, Raised(facts), attempt.number), started, {"step": key, "error": briefly(error)})
            _raise_as_replay_will(error, facts)
        finally:
            current.reset(token)
        self._append(Entry(key, spelled, Returned(output), attempt.number), started, {"step": key, "output": plain_json(attempt.value)})
        attempt.result = restore(output)

    def _append(self, entry: Entry, started: Signal | None, payload: dict[str, JSON]) -> None:
        self.line.journal.append(entry)
        if started is None:
            self.emit("step:end", payload)
        else:
            self.line.emit("step:end", payload, self._source_of_end(started))

    def _source_of_end(self, started: Signal) -> SignalSource:
        origin = self.origin
        return SignalSource(origin.agent, origin.activation, None, started.id) if origin else SignalSource(parent=started.id)

    def _origin_inside(self, key: str, started: Signal | None) -> SignalSource | None:
        if started is None:
            return self.origin
        outermost = self.origin.activation if self.origin and self.is_inside else None
        return SignalSource(activation=outermost or key, parent=started.id)

    def _repeat(self, remembered: Remembered) -> Awaitable[None] | None:
        """Say again what the step had said; where it must wait for its turn, return what to wait for."""
        line = self.line
        if line.repeat(remembered):
            return None
        journal = line.journal
        for at, signal in enumerate(remembered.signals):
            turn = remembered.turns[at]
            if turn >= 0:
                waiting = journal.turn(turn, at_rest=line.queue is None)
                if waiting is not None:
                    return self._repeat_from(at, waiting, remembered)
                journal.arrive(turn)
            line.emit(signal.name, signal.payload, signal.source)
        return journal.lapse(remembered) if remembered.entry.outcome is None else None

    async def _repeat_from(self, start: int, waiting: Awaitable[None], remembered: Remembered) -> None:
        """Wait, and say the rest, each in its turn."""
        journal = self.line.journal
        await waiting
        self._say_again(remembered.signals[start], remembered.turns[start])
        for signal, turn in zip(remembered.signals[start + 1 :], remembered.turns[start + 1 :], strict=True):
            another = journal.turn(turn, at_rest=self.line.queue is None) if turn >= 0 else None
            if another is not None:
                await another
            self._say_again(signal, turn)
        if remembered.entry.outcome is None:
            await journal.lapse(remembered)

    def _say_again(self, signal: Signal, turn: int) -> None:
        if turn >= 0:
            self.line.journal.arrive(turn)
        self.line.emit(signal.name, signal.payload, signal.source)

    async def _play(self, remembered: Remembered, deliver: Deliver) -> JSON:
        journal = self.line.journal
        for at, (signal, ordinal) in enumerate(zip(remembered.signals, remembered.turns, strict=True), 1):
            waiting = journal.turn(ordinal, at_rest=False)
            if waiting is not None:
                await waiting
            elif at % _BREATH == 0:
                await asyncio.sleep(0)
            journal.arrive(ordinal)
            deliver(signal.name, signal.payload, signal.source.harness or "" if signal.source else "")
        if remembered.entry.outcome is None:
            await journal.lapse(remembered)
        return _conclude(remembered)  # type: ignore[return-value]  # a stream's outcome is plain JSON


def _conclude(remembered: Remembered) -> object:
    """What a remembered step gives its caller: a fresh value, or its error."""
    outcome = remembered.entry.outcome
    if isinstance(outcome, Returned):
        return restore(outcome.value)  # type: ignore[arg-type]  # an entry's values are JSON
    raise rebuild(error_of(outcome) or {})


class _Attempt:
    """What live work gave, and how often it was tried."""

    __slots__ = ("number", "result", "value")

    def __init__(self) -> None:
        self.number = 1
        self.value: object = None
        self.result: object = None


@contextmanager
def entered(scope: Scope | None) -> Iterator[None]:
    """Make a scope the current one for a while; None hides the one there is."""
    token = current.set(scope)
    try:
        yield
    finally:
        current.reset(token)


def _raise_as_replay_will(error: BaseException, facts: dict[str, JSON] | None) -> NoReturn:
    failure = error if facts is None else as_replay_will(error, facts)
    if failure is error:
        raise error
    raise failure from error


class _limit:  # noqa: N801 - reads as the function it stands for
    """At most so many seconds; without a limit it costs nothing."""

    __slots__ = ("_key", "_timeout", "_watch")

    def __init__(self, key: str, timeout: float | None) -> None:
        self._key = key
        self._timeout = timeout
        self._watch: asyncio.Timeout | None = None

    async def __aenter__(self) -> None:
        if self._timeout is not None:
            self._watch = asyncio.timeout(self._timeout)
            await self._watch.__aenter__()

    async def __aexit__(self, *raised: object) -> None:
        if self._watch is None:
            return
        try:
            await self._watch.__aexit__(*raised)  # type: ignore[arg-type]  # what the interpreter gives
        except TimeoutError as error:
            if self._watch.expired() and self._timeout is not None:
                raise StepTimeoutError(self._key, self._timeout) from error
            raise
        when = self._watch.when()
        if raised[0] is None and when is not None and asyncio.get_running_loop().time() > when:
            # Code that does not wait for anything cannot be interrupted; it took too long nevertheless.
            raise StepTimeoutError(self._key, self._timeout or 0.0)
