"""The ways by which code gets out of a process, each told to the guard of the test that takes it.

1. An audit hook cannot be removed. There is one for the whole process, installed when a test first replays; it does nothing where no guarded scope is
   current: other tests, fixtures that outlast a test, pytest itself.
2. Some ways tell no audit hook, or too late: they are wrapped, once, by functions that ask before.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pytest_wfreplay.errors import WfreplayError
from pytest_wfreplay.steps.scope import current

if TYPE_CHECKING:
    from pytest_wfreplay.plugin.guard import Guard
    from pytest_wfreplay.steps.journal import JournalSource
    from pytest_wfreplay.steps.line import Line
    from pytest_wfreplay.steps.scope import Scope

__tracebackhide__ = True

#: The guards of the tests that replay, by who hands journals to what runs there: found by way of the scope, which goes wherever the test's code goes.
_guards: WeakKeyDictionary[JournalSource, Guard] = WeakKeyDictionary()


def watch(scope: Scope, guard: Guard) -> None:
    """From now on, ask this guard wherever a scope of this one's source is current."""
    _install()
    # A guard knows nothing of who made the scope, or it would keep it alive.
    _guards[scope.line.source] = guard


def _connect(guard: Guard, args: tuple[Any, ...]) -> None:
    try:
        guard.connect(args[0].family, args[1])
    except WfreplayError:
        # Whoever made it expects an `OSError` at most, and would leave it open.
        args[0].close()
        raise


#: audit event -> what the test's guard is asked
_ASKED: dict[str, Callable[[Guard, Any], None]] = {
    "socket.connect": _connect,
    "socket.sendto": lambda guard, args: guard.connect(args[0].family, args[1]),
    "socket.sendmsg": lambda guard, args: guard.connect(args[0].family, args[1]),
    "socket.bind": lambda guard, args: guard.bind(args[0].family, args[1]),
    "socket.getaddrinfo": lambda guard, args: guard.look_up(args[0]),
    "socket.gethostbyname": lambda guard, args: guard.look_up(args[0]),
    "socket.gethostbyaddr": lambda guard, args: guard.look_up_address(args[0]),
    "socket.getnameinfo": lambda guard, args: guard.look_up_address(args[0][0]),
    "subprocess.Popen": lambda guard, args: guard.process(args[1]),
    "os.system": lambda guard, args: guard.process(args[0]),
    "os.exec": lambda guard, args: guard.process(args[1]),
    "os.posix_spawn": lambda guard, args: guard.process(args[1]),
    "os.spawn": lambda guard, args: guard.process(args[2]),
    "os.startfile": lambda guard, args: guard.process(args[0]),
    "os.fork": lambda guard, _: guard.process("os.fork()"),
    "os.forkpty": lambda guard, _: guard.process("os.forkpty()"),
    "_winapi.CreateProcess": lambda guard, args: guard.process(args[1]),
}


#: method of sockets -> the event that it tells too late, and from which argument on its last one is an address
_NAMING = {
    "connect": ("socket.connect", 0),
    "connect_ex": ("socket.connect", 0),
    "sendto": ("socket.sendto", 1),
    "sendmsg": ("socket.sendmsg", 3),
    "bind": ("socket.bind", 0),
}


def _heard(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook: called for whatever the interpreter tells, so most calls end in the first line."""
    asked = _ASKED.get(event)
    if asked is not None:
        guard = _current()
        if guard is not None:
            asked(guard, args)


#: Or no debugger could step into it, and nobody would know which of its lines our tests run.
_heard.__cantrace__ = True  # type: ignore[attr-defined]  # the name by which the interpreter asks


def _current() -> Guard | None:
    scope = current.get()
    if scope is None:
        return None
    try:
        # A fixture that outlasts a test has a line only when somebody asks for it, and a cassette by that. We do not ask.
        line: Line = object.__getattribute__(scope, "line")
    except AttributeError:
        return None
    return _guards.get(line.source)


@functools.cache
def _install() -> None:
    sys.addaudithook(_heard)
    for name in _NAMING:
        setattr(socket.socket, name, _asked_before(name))
    socket.getaddrinfo = _hearing_answers()
    with contextlib.suppress(ImportError):
        import _posixsubprocess as starting  # multiprocessing starts its helpers by it, without telling any audit hook

        start: Any = starting.fork_exec

        @functools.wraps(start)
        def fork_exec(command: Sequence[object], *rest: Any) -> int:
            guard = _current()
            if guard is not None:
                guard.process(command)
            pid: int = start(command, *rest)
            return pid

        starting.fork_exec = fork_exec  # type: ignore[assignment]  # the same, asked first


def _asked_before(name: str) -> Any:
    """A method of sockets that would look a host's name up before any audit hook is told."""
    method: Any = getattr(socket.socket, name)
    event, place = _NAMING[name]

    @functools.wraps(method)
    def asked(self: socket.socket, *args: Any) -> Any:
        guard = _current() if len(args) > place else None
        if guard is not None and isinstance(args[-1], tuple):
            _ASKED[event](guard, (self, args[-1]))
        return method(self, *args)

    return asked


def _hearing_answers() -> Any:
    """`getaddrinfo` that tells which addresses a name has: a hook only hears that it is looked up."""
    look_up: Any = socket.getaddrinfo

    @functools.wraps(look_up)
    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        answer = look_up(host, *rest, **named)
        guard = _current()
        if guard is not None:
            guard.learn(host, answer)
        return answer

    return getaddrinfo
