"""Code that cannot wait, and what has to be waited for: a loop in the background, for stores that know nothing but waiting."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


def waited_for(awaitable: Awaitable[T]) -> T:
    """What an awaitable gives, for code that cannot await it: it is awaited in the background while the caller's thread stands still."""
    return asyncio.run_coroutine_threadsafe(_result(awaitable), _loop()).result()


async def _result(awaitable: Awaitable[T]) -> T:
    return await awaitable


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop in the background, begun when it is first needed; the program may end without it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="wfreplay:waiting", daemon=True).start()
    return loop
