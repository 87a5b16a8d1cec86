"""Threads that a test starts find the test's scope, as its tasks do.

Before Python 3.14 a thread starts with an empty context, so what the code under test does in a `Thread` or a `ThreadPoolExecutor` would not be
recorded, and in replay it would go live. While a marked test runs, both carry the context of who starts them along.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any

from pytest_wfreplay.plugin.whence import started, whence
from pytest_wfreplay.steps.scope import current, entered


@contextmanager
def carrying_context() -> Iterator[None]:
    """While this lasts, threads and thread pools take the context of their caller along."""
    start: Any = threading.Thread.start
    submit: Any = ThreadPoolExecutor.submit

    @functools.wraps(start)
    def start_in_context(thread: threading.Thread) -> None:
        thread.run = functools.partial(_brought().run, thread.run)  # type: ignore[method-assign]  # a thread's own run, not its class's
        start(thread)

    @functools.wraps(submit)
    def submit_in_context(pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        context = _brought()
        # A pool's threads outlive the test: what they are given brings its scope along, they themselves have none.
        with entered(None):
            future: Future[Any] = submit(pool, context.run, function, *args, **kwargs)
        return future

    threading.Thread.start = start_in_context  # type: ignore[assignment, method-assign]  # put back below
    ThreadPoolExecutor.submit = submit_in_context  # type: ignore[assignment, method-assign]  # put back below
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]  # as it was
        ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]  # as it was


def _brought() -> Context:
    """The caller's context; what goes wrong in it is said of the caller's line, for what is run there may be nobody's own code."""
    context = copy_context()
    if current.get() is not None:
        context.run(started.set, whence())
    return context
