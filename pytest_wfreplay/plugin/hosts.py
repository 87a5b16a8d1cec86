"""Which hosts code under test may reach in replay: this machine itself, and those that the ini allows.

1. An allowed name may be looked up, and what the look-up answered may be connected to, on the ports that the entry allows.
2. Whatever can be said with the text alone is decided without asking anybody: a numeric address needs no look-up.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.steps.scope import entered

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

LEGAL = (
    "Legal are a host (api.example.com), all hosts of a domain (*.example.com), an address (10.1.2.3, ::1) and a network (10.0.0.0/8); "
    "a host or an address may have a port (api.example.com:8080, [2001:db8::1]:8080)."
)

#: Names of this machine that no server is asked for.
_OWN_NAMES = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})

_NAME = re.compile(r"(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
#: `127.1`, `0x7f000001` and their like: spellings of an address that only the system knows.
_OLD_SPELLING = re.compile(r"(?:0x[0-9a-f]+|[0-9]+)(?:\.(?:0x[0-9a-f]+|[0-9]+)){0,3}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ini: a name (`*.` for all below) or a network, and the one port that is meant; None means all."""

    name: str | None
    network: Network | None
    port: int | None

    def has_name(self, name: str) -> bool:
        """Whether a host of that name is meant."""
        if self.name is None:
            return False
        return name.endswith(self.name[1:]) and name != self.name[1:] if self.name.startswith("*.") else name == self.name

    def has_address(self, address: Address) -> bool:
        """Whether that address is meant."""
        return self.network is not None and address in self.network

    def has_port(self, port: int | None) -> bool:
        """Whether that port is meant; None is not known."""
        return self.port is None or port is None or port == self.port


@dataclass(slots=True)
class Hosts:
    """The allowed hosts of a session; `told` are the addresses that allowed names turned out to have."""

    entries: tuple[Entry, ...]
    told: dict[str, set[Address]] = field(default_factory=dict)

    def may_look_up(self, name: str) -> bool:
        """Whether a name may be looked up; a numeric address is none, and neither is the name of this machine."""
        if _address(name) is not None or _is_own(name):
            return True
        name = _plain(name)
        if not any(entry.has_name(name) for entry in self.entries):
            return False
        self.told.setdefault(name, set())
        return True

    def may_reach(self, host: str, port: int | None) -> bool:
        """Whether something may be sent to a host, given by name or by address."""
        address = _address(host)
        if address is None:
            name = _plain(host)
            return _is_loopback_name(name) or any(entry.has_name(name) and entry.has_port(port) for entry in self.entries)
        if address.is_loopback or address.is_unspecified:
            return True
        return any(entry.has_address(address) and entry.has_port(port) for entry in self.entries) or self._was_told(address, port)

    def may_ask(self, host: str) -> bool:
        """Whether it may be asked who has an address, which is a look-up, too."""
        address = _address(host)
        return self.may_look_up(host) if address is None else self.may_reach(host, None)

    def learn(self, name: str, addresses: Iterable[str]) -> None:
        """An allowed name was looked up, and has these addresses."""
        known = self.told.get(_plain(name))
        if known is not None:
            known.update(address for address in map(_address, addresses) if address is not None)

    def _was_told(self, address: Address, port: int | None) -> bool:
        names = [name for name in self.told if any(entry.has_name(name) and entry.has_port(port) for entry in self.entries)]
        if any(address in self.told[name] for name in names):
            return True
        for name in names:
            # Whoever looked it up had a way of their own, so we were not told; ask again, where our own guard does not hear us.
            with entered(None), contextlib.suppress(OSError):
                self.learn(name, (str(found[4][0]) for found in socket.getaddrinfo(name, None)))
        return any(address in self.told[name] for name in names)


@cache
def hosts_of(entries: tuple[str, ...]) -> Hosts:
    """The allowed hosts that an ini file names; the same object for the same entries, for it learns.

    Raises:
        ConfigurationError: an entry is neither a host nor an address nor a network; the hint lists what is legal.
    """
    return Hosts(tuple(_entry(text) for text in map(str.strip, entries) if text))


def _entry(text: str) -> Entry:
    with contextlib.suppress(ValueError):
        return Entry(None, _network(text), None)
    host, colon, port = text.rpartition(":")
    if not colon:
        host, port = text, ""
    number = int(port) if port.isascii() and port.isdigit() and int(port) < 2**16 else None
    if bool(colon) == (number is not None):
        with contextlib.suppress(ValueError):
            return Entry(None, _network(host), number)
        name = _plain(host)
        if _NAME.fullmatch(name) and not _OLD_SPELLING.fullmatch(name):
            return Entry(name, None, number)
    raise ConfigurationError(f"{text!r} is not a host.", hint=LEGAL)


def _network(text: str) -> Network:
    network = ipaddress.ip_network(text.removeprefix("[").removesuffix("]"), strict=False)
    alone = _address(str(network.network_address)) if network.num_addresses == 1 else None
    return network if alone is None else ipaddress.ip_network(alone)


def _plain(name: str) -> str:
    """A name as names are compared: in small letters, as it is sent to a server, without the dot of the root."""
    if not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("idna").decode("ascii")
    return name.lower().removesuffix(".")


def _address(text: str) -> Address | None:
    """The address that a text spells, or None for a name; one of IPv4 in the clothes of IPv6 is one of IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        if not _OLD_SPELLING.fullmatch(text):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(text))
        except OSError:
            return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _is_loopback_name(name: str) -> bool:
    return name in _OWN_NAMES or name.endswith(".localhost")


def _is_own(name: str) -> bool:
    """Whether a name is this machine's: servers on loopback ask for it when they start."""
    plain = _plain(name)
    return _is_loopback_name(plain) or plain == _plain(socket.gethostname())
