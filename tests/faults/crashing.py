"""A script of fifty steps that is killed at each of them, resumed, killed again further on, and resumed to its end. Run by test_durable.

A process that has loaded the package forks one child for each life, so that hundreds of them take seconds; each that is to die kills itself by
SIGKILL at one of four moments of a step. What a step does is a line in a file: the kernel keeps it, however the process ends. Prints how many
were killed, once all that they left was looked at.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pytest_wfreplay import UnfinishedStepError, durability, durable, open_store, step
from pytest_wfreplay.stores import sql_snapshot_store, sqlite  # noqa: F401 - loaded once, not in each child

STEPS = 50
#: In its handler, before and after its effect; when the handler has returned, and its result is being spelled; when its caller has it.
MOMENTS = ("before", "after", "between", "recorded")


class Deadly(Mapping[str, int]):
    """A result that kills whoever looks into it to keep it."""

    def __getitem__(self, name: str) -> int:
        raise KeyError(name)

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        die()
        return iter(())


def die() -> None:
    """As a process dies that had no time to say anything."""
    os.kill(os.getpid(), signal.SIGKILL)


class Life:
    """One process of the script: which of its lives it is, where it dies, and when."""

    def __init__(self, number: int, at: int, moment: str) -> None:
        self.number, self.at, self.moment = number, at, moment

    def work(self, number: int) -> Mapping[str, int]:
        """What a step does: one line in a file."""
        if number == self.at and self.moment == "before":
            die()
        descriptor = os.open("effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{self.number} {number}\n".encode())
        os.close(descriptor)
        if number == self.at and self.moment == "after":
            die()
        return Deadly() if number == self.at and self.moment == "between" else {"number": number}

    async def wait(self, number: int) -> Mapping[str, int]:
        """The same, after others had their turn."""
        await asyncio.sleep(0)
        return self.work(number)

    def returned(self, number: int) -> None:
        """A step's caller goes on."""
        if number == self.at and self.moment == "recorded":
            die()

    def script(self, frame: Any) -> list[Any]:
        """Fifty steps, one after the other."""
        values = []
        with frame:
            for number in range(STEPS):
                values.append(step.run("work", self.work, input=number))
                self.returned(number)
        return values

    async def script_that_waits(self, frame: Any) -> list[Any]:
        """The same in an event loop."""
        values = []
        async with frame:
            for number in range(STEPS):
                values.append(await step.run("work", self.wait, input=number))
                self.returned(number)
        return values


def live(flavour: str, name: str, life: Life, **options: Any) -> int:
    """A life in a process of its own; its exit status as `waitpid` gives it."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    code = 1
    try:
        store = durability.default_store() if flavour == "script" else open_store("sqlite:///state.db")
        frame = nullcontext() if flavour == "script" else durable(name, store, **options)
        values = asyncio.run(life.script_that_waits(frame)) if flavour == "async" else life.script(frame)
        assert values == [{"number": number} for number in range(STEPS)], values
        asyncio.run(store.close())
        code = 0
    except UnfinishedStepError as error:
        code = 3 if f"'{name}/{step_key(life.number)}' began" in str(error) else 4
    finally:
        sys.stderr.flush()
        os._exit(code)


def effects() -> dict[int, list[int]]:
    """Which steps each life has done."""
    done: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for line in Path("effects").read_text().splitlines() if Path("effects").exists() else ():
        life, number = map(int, line.split())
        done[life].append(number)
    return done


def step_key(number: int) -> str:
    """How a step of the script is called."""
    return "work" if number == 0 else f"work#{number + 1}"


def was_killed(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def lived(flavour: str, moment: str, at: int) -> int:
    """Die at a step, again further on, and live; how many died. Each life did just what was missing."""
    again = min(at + 1 + at % 5, STEPS)
    name = f"order-{at}"
    Path("effects").unlink(missing_ok=True)
    assert was_killed(live(flavour, name, Life(0, at, moment)))
    if again < STEPS:
        assert was_killed(live(flavour, name, Life(1, again, moment)))
    status = live(flavour, name, Life(2, -1, moment))
    assert status == 0, (at, os.waitstatus_to_exitcode(status))
    # What was done before the record, and not kept, is done once more; what was kept never is.
    to = 1 if moment != "before" else 0
    since = 1 if moment == "recorded" else 0
    middle = list(range(at + since, again + to)) if again < STEPS else []
    last = again if again < STEPS else at
    done = effects()
    assert done == {0: list(range(at + to)), 1: middle, 2: list(range(last + since, STEPS))}, (at, done)
    twice = {number for number, times in Counter(number for numbers in done.values() for number in numbers).items() if times > 1}
    assert twice == ({at, again} - {STEPS} if moment in ("after", "between") else set()), (at, twice)
    if at % 10 == 0:
        assert live(flavour, name, Life(2, 0, "before")) == 0, "a run that ended does nothing again"
    return 2 if again < STEPS else 1


def refused(flavour: str, moment: str, at: int) -> None:
    """Whoever asks to be told is told of the step that began and never ended, before anything is done again."""
    name = f"refused-{at}"
    Path("effects").unlink(missing_ok=True)
    assert was_killed(live(flavour, name, Life(0, at, moment)))
    before = effects()
    status = os.waitstatus_to_exitcode(live(flavour, name, Life(at, -1, moment), on_unfinished="raise"))
    assert status == (0 if moment == "recorded" else 3)
    if moment != "recorded":
        assert effects() == before


def main(flavour: str, moment: str) -> None:
    """Kill the script at each of its steps (without a durable run around them at some), at one moment of them."""
    killed = 0
    gc.freeze()  # so that children share what is loaded
    for at in range(0, STEPS, 5 if flavour == "script" else 1):  # a script has a new database each time, which takes its time
        folder = Path(f"{flavour}-{moment}" if flavour != "script" else f"{flavour}-{moment}-{at}")
        folder.mkdir(exist_ok=True)
        os.chdir(folder)
        killed += lived(flavour, moment, at)
        if flavour != "script" and at % 10 == 1:
            refused(flavour, moment, at)
        os.chdir("..")
    print(json.dumps({"killed": killed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
