"""Strands: pieces of code that do one thing after the other, and whether anybody decides which strand is first.

A task is a strand; outside of event loops, a context is one (`asyncio.to_thread` gives each call its own, and so does
`executor.submit(copy_context().run, …)`). Strands of one event loop begin in the order in which the code starts them, so a replay finds
the same order; threads, and the tasks of `asyncio.as_completed`, begin in any.
"""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop, current_task  # the first one is exported, too, and the only one that does not raise where there is none
from contextvars import ContextVar, Token
from threading import get_ident
from typing import Any, TypeAlias
from weakref import ref


class _ContextStrand:
    """A strand that is no task: it knows the token with which it was set, and only its own context takes that back."""

    __slots__ = ("__weakref__", "token")

    def __init__(self) -> None:
        self.token: Token[_ContextStrand] | None = None


#: What tells one strand from another; it does not keep the strand alive.
Strand: TypeAlias = "ref[Any]"

_here: ContextVar[_ContextStrand] = ContextVar("pytest_wfreplay_strand")


class Strands:
    """The strands that take part in one run."""

    def __init__(self, *, in_any_order: bool = False) -> None:
        self._in_any_order = in_any_order
        self._home = get_ident()
        self._outside: Strand | None = None
        #: Whether strands took part that run side by side in threads.
        self.has_threads = False

    @property
    def decide(self) -> bool:
        """Whether the code decides which strand is first."""
        return not self._in_any_order and not self.has_threads and not _is_started_in_any_order()

    def here(self) -> Strand:
        """The strand that runs, which takes part from now on."""
        if get_ident() != self._home:
            self.has_threads = True
        loop = _get_running_loop()
        task = None if loop is None else current_task(loop)
        if task is not None:
            return ref(task)
        strand = ref(_context_strand())
        if strand is not self._outside:
            # One thread may work for many: those of a pool do.
            self.has_threads = self.has_threads or self._outside is not None
            self._outside = strand
        return strand


def _context_strand() -> _ContextStrand:
    strand = _here.get(None)
    if strand is not None and strand.token is not None:
        try:
            _here.reset(strand.token)
        except ValueError:
            strand = None  # it belongs to the context of which this one is a copy
    strand = strand or _ContextStrand()
    strand.token = _here.set(strand)
    return strand


def _is_started_in_any_order() -> bool:
    """Whether `asyncio.as_completed` is at work: only the callbacks of the tasks that it waits for tell."""
    loop = _get_running_loop()
    if loop is None:
        return False
    task = current_task(loop)
    return (task is not None and _is_awaited_in_any_order(task)) or any(map(_is_awaited_in_any_order, asyncio.all_tasks(loop)))


def _is_awaited_in_any_order(task: asyncio.Task[Any]) -> bool:
    callbacks = getattr(task, "_callbacks", None) or ()
    names = (getattr(callback, "__qualname__", "") for callback, _ in callbacks)
    return any("as_completed" in name or "_AsCompletedIterator" in name for name in names)
