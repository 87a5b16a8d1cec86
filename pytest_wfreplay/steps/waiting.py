"""Code that cannot wait, and what has to be waited for: a loop in the background, for stores that know nothing but waiting."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Awaitable, Coroutine
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def waited_for(awaitable: Awaitable[T]) -> T:
    """What an awaitable gives, for code that cannot await it: it is awaited in the background while the caller's thread stands still."""
    return asyncio.run_coroutine_threadsafe(_result(awaitable), _loop()).result()


def in_background(work: Coroutine[object, object, T]) -> Future[T]:
    """Work that goes on in the background until it ends, is cancelled, or the program ends."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


async def _result(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _loop() -> asyncio.AbstractEventLoop:
    """The loop in the background, begun when it is first needed; the program may end without it, and a fork has one of its own."""
    return _loop_of(os.getpid())


@functools.cache
def _loop_of(process: int) -> asyncio.AbstractEventLoop:  # noqa: ARG001 - threads do not survive a fork
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="wfreplay:waiting", daemon=True).start()
    return loop
