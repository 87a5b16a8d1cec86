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
from typing import TypeAlias

from pytest_wfreplay.jsonable import JSON, jsonable, plain_json, restore
from pytest_wfreplay.signal import Signal, SignalSource
from pytest_wfreplay.steps.effort import ONCE, Attempt, Effort, pause, tried
from pytest_wfreplay.steps.entry import Absent, Entry, Raised, Returned, error_of
from pytest_wfreplay.steps.failure import briefly, outcome_of, raise_as_replay_will, rebuild
from pytest_wfreplay.steps.journal import ANEW, Remembered
from pytest_wfreplay.steps.key import quote, spell_key
from pytest_wfreplay.steps.line import Line, unheard
from pytest_wfreplay.steps.waiting import waited_for

#: What a step does: it gives a value, or something to wait for that gives one.
Work: TypeAlias = Callable[[], object]

#: Takes the name and the payload of a signal that a stream says, and the type of the harness that says it.
Deliver: TypeAlias = Callable[[str, JSON, str], object]

#: Takes the entry of a step that has ended.
Keep: TypeAlias = Callable[[Entry], object]

#: The scope in which steps and runs find themselves: the only "current" thing of the house.
current: ContextVar[Scope | None] = ContextVar("pytest_wfreplay_scope", default=None)


#: After so many signals a stream that is played again lets others hear them, or all of them would wait in memory.
_BREATH = 100


class Scope:
    """A namespace in a run: `prefix` is empty or ends with `/`, `origin` is the source of what is said here."""

    __slots__ = ("_say", "doing", "is_inside", "line", "origin", "prefix")

    def __init__(
        self,
        line: Line,
        prefix: str = "",
        *,
        origin: SignalSource | None = None,
        say: Deliver | None = None,
        is_inside: bool = False,
        doing: Attempt | None = None,
    ) -> None:
        self.line = line
        self.prefix = prefix
        self.origin = origin
        #: Whether this is inside a step, whose replay skips everything in here.
        self.is_inside = is_inside
        #: The step that is done in here, if it is one of the user's.
        self.doing = doing
        self._say = say

    def below(self, name: str) -> Scope:
        """The scope of a namespace in this one."""
        prefix = f"{self.prefix}{quote(name)}/"
        return Scope(self.line, prefix, origin=self.origin, say=self._say, is_inside=self.is_inside, doing=self.doing)

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
        journal = self.line.journal
        key = journal.named(key)
        remembered = journal.recall(key, given)
        if remembered is not None:
            if not self.line.repeat(remembered) and (waiting := self._repeat(remembered)) is not None:
                await waiting
            return _conclude(remembered)
        attempt = Attempt(key, given, self.line)
        begun = journal.begin(key, attempt.spelled)
        if begun is not None:
            meanwhile = begun if isinstance(begun, Remembered) else await begun
            if meanwhile is not None:
                return self._conclude_now(meanwhile)
        with self._begun(attempt) as inside:
            if effort is ONCE:
                value = work()
                attempt.value = await value if inspect.isawaitable(value) else value
            else:
                attempt.value = await inside.try_hard(attempt, work, effort)
        standing = self._kept(attempt)
        return self._ended(attempt, standing if isinstance(standing, Entry) else await standing)

    def step_now(self, key: str, work: Work, given: object = None) -> object:
        """The same for work that is done without waiting."""
        key = self.line.journal.named(key)
        remembered = self.line.journal.recall(key, given)
        if remembered is not None:
            return self._conclude_now(remembered)
        attempt = Attempt(key, given, self.line)
        begun = self.line.journal.begin(key, attempt.spelled)
        if begun is not None:
            meanwhile = begun if isinstance(begun, Remembered) else waited_for(begun)
            if meanwhile is not None:
                return self._conclude_now(meanwhile)
        with self._begun(attempt):
            attempt.value = work()
        standing = self._kept(attempt)
        return self._ended(attempt, standing if isinstance(standing, Entry) else waited_for(standing))

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
            raise_as_replay_will(error, facts)
        finally:
            current.reset(token)
        keep(Entry(key, spelled, Returned(jsonable(output))))
        return output

    async def try_hard(self, attempt: Attempt, work: Work, effort: Effort) -> object:
        """Try some work until it ends well, or too often: each failure but the last is said, and time passes before the next try."""
        clock = self.line.journal.clock
        for attempt.number in range(1, effort.retries + 1):
            try:
                return await tried(attempt, work, effort)
            except Exception as error:  # noqa: BLE001 - the last one is raised
                self.emit("step:retry", {"step": attempt.key, "attempt": attempt.number, "error": briefly(error)})
            await clock.sleep(pause(attempt.number, clock.random()))
        attempt.number = effort.retries + 1
        return await tried(attempt, work, effort)

    @contextmanager
    def _begun(self, attempt: Attempt) -> Iterator[Scope]:
        """The frame around live work: the signal of its beginning, its scope, and what it raised."""
        key = attempt.key
        attempt.started = started = None if self._say is unheard else self.emit("step:start", {"step": key, "input": plain_json(attempt.given)})
        inside = Scope(self.line, key + "/", origin=self._origin_inside(key, started), say=self._say, is_inside=True, doing=attempt)
        token = current.set(inside)
        try:
            yield inside
            attempt.output = jsonable(attempt.value, path=f"output of step {key!r}")
        except BaseException as error:  # noqa: BLE001 - law 3
            attempt.error = error
            attempt.facts = outcome_of(error)
        finally:
            current.reset(token)

    def _kept(self, attempt: Attempt) -> Entry | Awaitable[Entry]:
        """The entry of a step that has ended, kept; or what another run has kept before."""
        facts = attempt.facts
        outcome = Returned(attempt.output) if attempt.error is None else None if facts is None else Raised(facts)
        entry = Entry(attempt.key, attempt.spelled, outcome, attempt.number)
        return self.line.journal.append(entry) or entry

    def _ended(self, attempt: Attempt, standing: Entry) -> object:
        """Say how a step has ended, and give what came of it: what stands in the journal, as its replay will give it."""
        error, outcome = attempt.error, standing.outcome
        if error is not None and attempt.facts is None:
            raise error
        if not isinstance(outcome, Returned):
            facts = error_of(outcome) or {}
            said: JSON = {"type": facts.get("type"), "message": facts.get("message")} if error is None else briefly(error)
            self._say_end(attempt.started, {"step": standing.key, "error": said})
            raise_as_replay_will(error or rebuild(facts), attempt.facts)
        value = restore(outcome.value)  # type: ignore[arg-type]  # an entry's values are JSON
        if self._say is not unheard:
            said = plain_json(attempt.value if outcome.value is attempt.output else value)
            self._say_end(attempt.started, {"step": standing.key, "output": said})
        return value

    def _say_end(self, started: Signal | None, payload: dict[str, JSON]) -> None:
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
        """Say again, piece by piece, what the step had said; where it must wait for its turn, return what to wait for."""
        line = self.line
        if remembered.position == ANEW:
            self._say_anew(remembered.entry)
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

    def _conclude_now(self, remembered: Remembered) -> object:
        if not self.line.repeat(remembered):
            if remembered.position == ANEW:
                self._say_anew(remembered.entry)
            for signal, turn in zip(remembered.signals, remembered.turns, strict=True):
                self._say_again(signal, turn)
        return _conclude(remembered)

    def _say_anew(self, entry: Entry) -> None:
        """Say of a step that was done in an earlier run what the collectors of this one have to hear."""
        key = entry.key
        started = self.emit("step:start", {"step": key, "input": None if isinstance(entry.input, Absent) else plain_json(restore(entry.input))})
        Scope(self.line, origin=self._origin_inside(key, started), say=self._say).emit("step:cached", {"step": key})
        if isinstance(entry.outcome, Returned):
            self._say_end(started, {"step": key, "output": plain_json(restore(entry.outcome.value))})  # type: ignore[arg-type]  # an entry's values are JSON

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


@contextmanager
def entered(scope: Scope | None) -> Iterator[None]:
    """Make a scope the current one for a while; None hides the one there is."""
    token = current.set(scope)
    try:
        yield
    finally:
        current.reset(token)
