"""The hosts that code under test may reach in replay: entries of an ini file, addresses in any spelling, and what names turn out to be."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_wfreplay.errors import ConfigurationError
from pytest_wfreplay.plugin.hosts import Hosts, hosts_of

NONE = hosts_of(())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "127.1", "2130706433", "localhost", "LOCALHOST.", "app.localhost", ""],  # noqa: S104 - this machine
)
def test_this_machine_may_always_be_reached(host: str) -> None:
    assert NONE.may_reach(host, 80)
    assert NONE.may_look_up(host)
    assert NONE.may_ask(host)


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "169.254.169.254", "1.1", "example.com", "<broadcast>"]
)
def test_nobody_else_may_be_reached_unless_the_ini_says_so(host: str) -> None:
    assert not NONE.may_reach(host, 80)
    assert not NONE.may_ask(host)


def test_a_number_is_no_name_to_look_up_and_this_machines_own_name_asks_nobody_else() -> None:
    assert NONE.may_look_up("93.184.216.34")
    assert NONE.may_look_up(socket.gethostname())
    assert not NONE.may_look_up("example.com")


@pytest.mark.parametrize(
    ("entry", "host", "port", "is_allowed"),
    [
        ("api.example.com", "api.example.com", 443, True),
        ("api.example.com", "API.Example.com.", 443, True),
        ("api.example.com", "www.api.example.com", 443, False),
        ("api.example.com", "example.com", 443, False),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "badexample.com", 443, False),
        ("bücher.example", "xn--bcher-kva.example", 443, True),
        ("api.example.com:8080", "api.example.com", 8080, True),
        ("api.example.com:8080", "api.example.com", 443, False),
        ("*.example.com:8080", "a.example.com", 8080, True),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3", "10.1.2.4", 443, False),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("10.1.2.3:80", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "10.200.0.1", 443, True),
        ("10.0.0.0/8", "11.0.0.1", 443, False),
        ("10.0.0.0/8", "2001:db8::1", 443, False),
        ("2001:db8::/32", "2001:db8::7", 443, True),
        ("2001:db8::1", "2001:0db8::0001", 443, True),
        ("[2001:db8::1]", "2001:db8::1", 443, True),
        ("[2001:db8::1]:80", "2001:db8::1", 80, True),
        ("[2001:db8::1]:80", "2001:db8::1", 443, False),
    ],
)
def test_an_entry_allows_what_it_says(entry: str, host: str, port: int, is_allowed: bool) -> None:
    assert hosts_of((f" {entry} ",)).may_reach(host, port) is is_allowed


@pytest.mark.parametrize(
    "entry",
    [
        "https://api.example.com",
        "api.example.com/v1",
        "api.example.com:http",
        "api.example.com:99999",
        "10.0.0.0/40",
        "256.1.1.1",
        "a b",
        "-x",
        ":80",
        "*",
    ],
)
def test_what_is_no_host_is_refused_and_what_is_legal_is_listed(entry: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        hosts_of((entry,))
    assert str(caught.value) == f"{entry!r} is not a host."
    assert "api.example.com" in caught.value.hint
    assert "10.0.0.0/8" in caught.value.hint


@given(st.text())
def test_an_entry_is_a_host_or_an_error(entry: str) -> None:
    try:
        hosts = hosts_of((entry,))
    except ConfigurationError:
        return
    assert len(hosts.entries) <= 1


@given(st.ip_addresses())
def test_an_address_is_allowed_by_itself_alone(address: object) -> None:
    hosts = hosts_of((str(address),))
    assert hosts.may_reach(str(address), 1)
    assert not hosts.may_reach("192.0.2.77" if str(address) != "192.0.2.77" else "192.0.2.78", 1)


def test_what_an_allowed_name_was_found_to_be_may_be_reached_on_its_port() -> None:
    hosts = Hosts(hosts_of(("api.example.invalid:443",)).entries)
    hosts.learn("api.example.invalid", ["192.0.2.1"])
    assert not hosts.may_reach("192.0.2.1", 443)  # nobody was allowed to look it up
    assert hosts.may_look_up("API.example.invalid")
    hosts.learn("api.example.invalid", ["192.0.2.1", "2001:db8::1"])
    hosts.learn("other.example.invalid", ["192.0.2.2"])
    assert hosts.may_reach("192.0.2.1", 443)
    assert hosts.may_reach("2001:db8::1", 443)
    assert not hosts.may_reach("192.0.2.1", 80)
    assert not hosts.may_reach("192.0.2.2", 443)


def test_a_name_that_was_looked_up_in_a_way_of_ones_own_is_looked_up_again() -> None:
    hosts = Hosts(hosts_of(("localhost", "nowhere.invalid")).entries)
    hosts.told["localhost"] = set()
    hosts.told["nowhere.invalid"] = set()
    assert not hosts.may_reach("192.0.2.1", 443)
    assert {str(address) for address in hosts.told["localhost"]} & {"127.0.0.1", "::1"}
