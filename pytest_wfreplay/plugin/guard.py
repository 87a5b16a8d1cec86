"""Nothing live in replay: the network and new processes are refused on behalf of a test, and whoever swallows that does not save the test."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_wfreplay.errors import LiveCallBlocked, WfreplayError
from pytest_wfreplay.plugin.hosts import Hosts
from pytest_wfreplay.plugin.traceback import carries
from pytest_wfreplay.plugin.ways_out import watch
from pytest_wfreplay.plugin.whence import whence

if TYPE_CHECKING:
    from pytest_wfreplay.steps.scope import Scope

__tracebackhide__ = True

#: Families of sockets that do not leave this machine.
_LOCAL = frozenset(getattr(socket, name) for name in ("AF_UNIX", "AF_NETLINK", "AF_ALG", "AF_SYSTEM") if hasattr(socket, name))

#: How much of a command is shown.
_LONGEST = 200

#: What a refusal says of the attempt.
_TOLD = {"connect": "connecting to {}", "look up": "looking up {}", "process": "starting the process `{}`"}


@dataclass(slots=True)
class Guard:
    """Refuses what is live on behalf of one test."""

    #: The test as people are shown it, and the command that records it again.
    test: str
    command: str
    hosts: Hosts
    #: Takes secrets out of what is shown.
    clean: Callable[[str], str]
    #: Paths of callers below it are shown from there.
    root: str
    #: What has diverged so far: what is tried after that is a consequence.
    diverged: Sequence[object] = field(default=(), init=False)
    #: What is wrong with the cassette: then that is what people are to hear, not what their code tried to do.
    problem: WfreplayError | None = field(default=None, init=False)
    #: The first refusal that nobody has told of.
    _first: LiveCallBlocked | None = field(default=None, init=False)
    _has_settled: bool = field(default=False, init=False)

    def tell(self, error: BaseException | None = None) -> None:
        """Something has ended, well or with an error: whatever the user's code made of a refusal, it is told.

        Raises:
            LiveCallBlocked: the first refusal, unless the error is that one.
        """
        self._has_settled = True
        first, self._first = self._first, None
        if first is not None and first is not error:
            raise first from None if error is None or carries(error, first) else error

    def tell_late(self) -> None:
        """The teardown has ended, and well. Raises as `tell` does; a test that ended in its setup has said why."""
        if self._has_settled:
            self.tell()

    def over(self, scope: Scope, diverged: Sequence[object], problem: WfreplayError | None) -> Scope:
        """From now on, refuse what is live wherever a scope of this one's source is current; the scope, to go on with."""
        self.diverged, self.problem = diverged, problem
        watch(scope, self)
        return scope

    def learn(self, name: object, answer: Iterable[Sequence[Any]]) -> None:
        """A name was looked up, and this is what `getaddrinfo` answered."""
        if name is not None and self.hosts.entries:
            self.hosts.learn(_text(name), (str(found[4][0]) for found in answer))

    def connect(self, family: int, address: object) -> None:
        """Something is about to be sent to an address.

        Raises:
            LiveCallBlocked: it is not this machine's, and nobody has allowed it.
        """
        if family in _LOCAL:
            if _is_fork_server(address):
                self.refuse("process", "multiprocessing.forkserver")
            return
        if not isinstance(address, tuple):
            # A socket that was connected before says no address; that was asked for.
            if address is not None:
                self.refuse("connect", str(address))
            return
        host, port = _text(address[0]), address[1] if len(address) > 1 and isinstance(address[1], int) else None
        if not self.hosts.may_reach(host, port):
            shown = f"[{host}]" if ":" in host else host
            self.refuse("connect", shown if port is None else f"{shown}:{port}")

    def bind(self, family: int, address: object) -> None:
        """A socket is about to be given an address of this machine's; by name that is a look-up. Raises as `look_up` does."""
        if family not in _LOCAL and isinstance(address, tuple):
            self.look_up(address[0])

    def look_up(self, name: object) -> None:
        """A name is about to be looked up.

        Raises:
            LiveCallBlocked: it is not this machine's, and nobody has allowed it.
        """
        if name is not None and not self.hosts.may_look_up(_text(name)):
            self.refuse("look up", _text(name))

    def look_up_address(self, address: object) -> None:
        """It is about to be asked who has an address. Raises as `look_up` does."""
        if not self.hosts.may_ask(_text(address)):
            self.refuse("look up", _text(address))

    def process(self, command: object) -> None:
        """A process is about to be started.

        Raises:
            LiveCallBlocked: always.
        """
        self.refuse("process", _command(command))

    def refuse(self, what: str, target: str) -> None:
        """Say that nothing is live here, and keep that it was tried.

        Raises:
            LiveCallBlocked: always, unless the cassette cannot be used; then what is wrong with it.
        """
        if self.problem is not None:
            raise self.problem
        target = _short(self.clean(target))
        lines = [f"{_TOLD[what].format(target)} was refused: {self.test} replays, and in replay nothing is live"]
        place = whence()
        if place is not None:
            lines.append(f"  called at {place.told(self.root)}")
        line = place.line(self.root) if place is not None else ""
        error = LiveCallBlocked("\n".join(lines), test=self.test, what=what, target=target, line=line, hint=self._hint(what, target))
        if self._first is None and not self.diverged:
            self._first = error
        raise error

    def _hint(self, what: str, target: str) -> str:
        recorded = f"do it in a step, and record again: {self.command}"
        if what == "process":
            return f"{recorded}; what tests only need around them belongs into a fixture of module or session scope, where nothing is refused"
        return f"{recorded}; or allow the host: ini wfreplay_allowed_hosts = {target}"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)


def _command(command: object) -> str:
    """A command as a shell would be told it."""
    return shlex.join(map(_text, command)) if isinstance(command, list | tuple) else _text(command)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _is_fork_server(address: object) -> bool:
    """Whether a socket is that of multiprocessing's fork server, which answers with a new process."""
    module = sys.modules.get("multiprocessing.forkserver")
    known = module and getattr(getattr(module, "_forkserver", None), "_forkserver_address", None)
    return known is not None and address == known
