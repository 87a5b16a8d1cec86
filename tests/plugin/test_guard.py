"""Nothing is live in replay: not the network, not a new process, whoever reaches for it, by whatever way, and whatever becomes of the refusal."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from pytest_wfreplay.errors import LiveCallBlocked
from pytest_wfreplay.plugin.guard import Guard
from pytest_wfreplay.plugin.hosts import hosts_of
from pytest_wfreplay.redact import Redactor
from pytest_wfreplay.steps.journal import LiveJournal, LiveSource
from pytest_wfreplay.steps.line import Line
from pytest_wfreplay.steps.scope import Scope, entered

if TYPE_CHECKING:
    from conftest import Project, Ran

#: The code under test takes its ways only in replay: recording must not depend on the network of whoever runs our tests.
IS_REPLAY = """
import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

@pytest.fixture(autouse=True)
def replays(wfreplay):
    step.run("known", live)
    return wfreplay

def only_in_replay(test):
    def maybe(replays, request):
        return test() if request.config.getoption("wfreplay_record") is False else None
    maybe.__name__ = test.__name__
    return maybe
"""

WAYS = """
@only_in_replay
def test_address():
    socket.create_connection(("192.0.2.1", 443), timeout=1)

@only_in_replay
def test_address_of_version_six():
    with socket.socket(socket.AF_INET6) as one:
        one.connect(("2001:db8::1", 443))

@only_in_replay
def test_name():
    socket.create_connection(("api.example.com", 443), timeout=1)

@only_in_replay
def test_name_that_the_socket_looks_up():
    with socket.socket() as one:
        one.connect(("api.example.com", 443))

@only_in_replay
def test_name_that_the_socket_is_bound_to():
    with socket.socket() as one:
        one.bind(("api.example.com", 443))

@only_in_replay
def test_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"hello", ("192.0.2.1", 53))

@only_in_replay
def test_message():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendmsg([b"hello"], [], 0, ("api.example.com", 53))

@only_in_replay
def test_old_look_up():
    socket.gethostbyname("api.example.com")

@only_in_replay
def test_who_has_an_address():
    socket.gethostbyaddr("192.0.2.1")

@only_in_replay
def test_name_of_an_address():
    socket.getnameinfo(("192.0.2.1", 80), 0)

@only_in_replay
def test_url():
    urllib.request.urlopen("https://api.example.com/v1?key=sk-ant-abcdefghijklmnop")

@only_in_replay
def test_stream():
    async def main():
        await asyncio.open_connection("192.0.2.1", 443)
    asyncio.run(main())

@only_in_replay
def test_stream_by_name():
    async def main():
        await asyncio.open_connection("api.example.com", 443)
    asyncio.run(main())

@only_in_replay
def test_thread():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(socket.getaddrinfo, "api.example.com", 443).result()

@only_in_replay
def test_process():
    subprocess.run(["git", "push", "--token=sk-ant-abcdefghijklmnop"])

def test_process_with_a_secret_of_the_test(wfreplay):
    wfreplay.add_redactor("hidden-[a-z]+")
    if wfreplay.mode == "none":
        subprocess.run(["git", "push", "hidden-away"])

@only_in_replay
def test_shell():
    os.system("git push")

@only_in_replay
def test_process_of_asyncio():
    async def main():
        await asyncio.create_subprocess_exec("git", "push")
    asyncio.run(main())

@only_in_replay
def test_spawn():
    os.posix_spawn("/bin/true", ["true", "x" * 300], {})

@only_in_replay
def test_exec():
    os.execv("/bin/true", ["true"])

@only_in_replay
def test_fork():
    os.fork()

@only_in_replay
def test_terminal():
    os.forkpty()

def work(given):
    return given

@only_in_replay
def test_fork_of_multiprocessing():
    multiprocessing.get_context("fork").Process(target=work, args=(1,)).start()

@only_in_replay
def test_pool_of_processes():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        pool.submit(work, 1).result()
"""

#: test -> what was refused, and by way of what
REFUSED = {
    "address": ("connecting to 192.0.2.1:443", "socket.create_connection"),
    "address_of_version_six": ("connecting to [2001:db8::1]:443", ""),
    "name": ("looking up api.example.com", "socket.create_connection"),
    "name_that_the_socket_looks_up": ("connecting to api.example.com:443", ""),
    "name_that_the_socket_is_bound_to": ("looking up api.example.com", ""),
    "datagram": ("connecting to 192.0.2.1:53", ""),
    "message": ("connecting to api.example.com:53", ""),
    "old_look_up": ("looking up api.example.com", ""),
    "who_has_an_address": ("looking up 192.0.2.1", ""),
    "name_of_an_address": ("looking up 192.0.2.1", ""),
    "url": ("looking up api.example.com", "urllib.request.urlopen"),
    "stream": ("connecting to 192.0.2.1:443", "asyncio.streams.open_connection"),
    "stream_by_name": ("looking up api.example.com", "asyncio.streams.open_connection"),
    "thread": ("looking up api.example.com", ""),
    "process": ("starting the process `git push --token=[redacted]`", "subprocess.run"),
    "process_with_a_secret_of_the_test": ("starting the process `git push [redacted]`", "subprocess.run"),
    "shell": ("starting the process `git push`", ""),
    "process_of_asyncio": ("starting the process `git push`", "asyncio.subprocess.create_subprocess_exec"),
    "spawn": (f"starting the process `true {'x' * 195}…`", ""),
    "exec": ("starting the process `true`", ""),
    "fork": ("starting the process `os.fork()`", ""),
    "terminal": ("starting the process `os.forkpty()`", ""),
    "fork_of_multiprocessing": ("starting the process `os.fork()`", "multiprocessing.process.BaseProcess.start"),
    "pool_of_processes": ("starting the process `os.fork()`", "concurrent.futures.process.ProcessPoolExecutor.submit"),
}


def test_no_way_leads_out(project: Project) -> None:
    project.write(text=IS_REPLAY + WAYS)
    assert set(project.record().outcomes.values()) == {"passed"}
    ran = project.replay("--tb=short")
    assert set(ran.outcomes.values()) == {"failed"}, ran.text
    assert len(ran.outcomes) == len(REFUSED)
    for name, (what, through) in REFUSED.items():
        _is_told(ran, name, what, through)


def _is_told(ran: Ran, name: str, what: str, through: str) -> None:
    test = f"test_it.py::test_{name}"
    told = ran.told(f"test_{name}")
    assert told[0] == f"LiveCallBlocked: {what} was refused: {test} replays, and in replay nothing is live"
    assert told[1].startswith("called at test_it.py:")
    assert told[1].partition(", through ")[2] == through
    if what.startswith("starting"):
        assert told[2].startswith(f'hint: do it in a step, and record again: pytest --record "{test}"; what tests only need around them')
    else:
        target = what.rpartition(" ")[2]
        assert (
            told[2] == f'hint: do it in a step, and record again: pytest --record "{test}"; or allow the host: ini wfreplay_allowed_hosts = {target}'
        )
    # No frame of anybody else's.
    assert {line.partition(":")[0] for line in ran.of(f"test_{name}") if ": in " in line} == {"test_it.py"}


def test_code_that_swallows_it_does_not_save_the_test(project: Project) -> None:
    project.write(
        text=IS_REPLAY
        + """
@only_in_replay
def test_swallows():
    with contextlib.suppress(Exception):
        os.system("git push")

@only_in_replay
def test_makes_something_else_of_it():
    try:
        os.system("git push")
    except Exception as error:
        raise ConnectionError("the service cannot be reached") from error

@only_in_replay
def test_fails_for_another_reason():
    with contextlib.suppress(Exception):
        os.system("git push")
    assert 1 == 2

@only_in_replay
def test_skips():
    try:
        os.system("git push")
    except Exception:
        pytest.skip("no network")

@only_in_replay
def test_diverged_before():
    with contextlib.suppress(Exception):
        step.run("unknown", live)
    os.system("git push")

@only_in_replay
def test_diverged_after():
    with contextlib.suppress(Exception):
        os.system("git push")
    step.run("unknown", live)

@only_in_replay
def test_expects_it():
    with pytest.raises(LiveCallBlocked) as caught:
        os.system("git push")
    error = caught.value
    assert (error.test, error.what, error.target) == ("test_it.py::test_expects_it", "process", "git push")
    assert error.line.startswith("test_it.py:")

@pytest.fixture
def closing(request):
    yield
    if request.config.getoption("wfreplay_record") is False:
        with contextlib.suppress(Exception):
            os.system("git gc")

def test_teardown(replays, closing):
    pass

@pytest.fixture
def opening(replays, request):
    if request.config.getoption("wfreplay_record") is False:
        os.system("git init")

def test_setup(opening):
    pass
"""
    )
    assert set(project.record().outcomes.values()) == {"passed"}
    ran = project.replay()
    outcomes = ran.outcomes
    assert outcomes.pop("test_teardown") in {"passed", "error"}
    assert outcomes.pop("test_setup") == "error"
    assert set(outcomes.values()) == {"failed"}, ran.text
    for test in ("swallows", "makes_something_else_of_it", "skips", "expects_it", "diverged_after"):
        assert any(line.startswith("LiveCallBlocked: starting the process `git push` was refused") for line in ran.told(f"test_{test}")), ran.text
    assert not any("ConnectionError" in line for line in ran.told("test_makes_something_else_of_it"))
    told = ran.told("test_fails_for_another_reason")
    assert told[0] == "assert 1 == 2"
    assert told[1].startswith("LiveCallBlocked: starting the process `git push`")
    assert any(line.startswith("UnrecordedStepError: step unknown is not in the recording") for line in ran.told("test_diverged_before"))
    assert ran.text.count("ERROR at teardown of") == 1
    assert ran.text.count("starting the process `git gc` was refused") >= 1
    assert ran.text.count("ERROR at setup of test_setup") == 1
    assert not project.was_live


def test_who_is_no_test_that_replays_goes_where_he_likes(project: Project) -> None:
    project.write(
        text="""
import subprocess
import sys

def lives():
    return subprocess.run([sys.executable, "-c", "print(7)"], check=True, capture_output=True).stdout.strip() == b"7"

@pytest.fixture(scope="session")
def service():
    assert lives()
    yield
    assert lives()

@pytest.fixture(scope="module")
def database(service):
    assert lives()
    yield
    assert lives()

@pytest.mark.wfreplay
def test_replays(database):
    step.run("known", live)

def test_of_nobody():
    assert lives()

@pytest.fixture
def late(request):
    request.getfixturevalue("later")

@pytest.fixture(scope="session")
def later():
    assert lives()

@pytest.mark.wfreplay
def test_asks_late(late):
    step.run("known", live)

@pytest.mark.wfreplay(mode="live")
def test_of_a_live_mode_still_replays():
    step.run("known", live)
"""
    )
    ran = project.record()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    ran = project.replay()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    assert not project.was_live


def test_modes_that_work_live_are_not_guarded(project: Project) -> None:
    project.write(
        text="""
import os

@pytest.mark.wfreplay
def test_it():
    assert step.run("shell", lambda: os.system("true")) == 0
    os.system("true")
"""
    )
    for mode in ("rewrite", "live", "verify", "new_episodes"):
        ran = project.run(f"--wfreplay={mode}")
        assert ran.outcomes == {"test_it": "passed"}, ran.text
    for mode in ("none", "once", "accept"):
        ran = project.run(f"--wfreplay={mode}")
        assert ran.outcomes == {"test_it": "failed"}, ran.text
        assert "starting the process `true` was refused" in ran.text


def test_without_a_cassette_that_is_what_is_said(project: Project) -> None:
    project.write(text="import os\n@pytest.mark.wfreplay\ndef test_it():\n    os.system('touch LIVE')\n")
    ran = project.replay()
    assert "CassetteMissing" in ran.told("test_it")[0]
    assert "LiveCallBlocked" not in ran.text
    assert not project.was_live


class Hello(BaseHTTPRequestHandler):
    """Answers whatever it is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


LOOPBACK = """
import http.server
import os
import socket
import tempfile
import threading
import urllib.request

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *_):
        pass

@pytest.mark.wfreplay
def test_loopback():
    step.run("known", live)
    with http.server.HTTPServer(("", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for host in ("127.0.0.1", "localhost"):
            with urllib.request.urlopen(f"http://{host}:{server.server_port}/") as answer:
                assert answer.read() == b"hello"
        server.shutdown()
        thread.join()

@pytest.mark.wfreplay
def test_unix_socket():
    step.run("known", live)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(folder + "/socket")
        server.listen()
        client.connect(folder + "/socket")
        client.sendmsg([b"hello"])
        with server.accept()[0] as heard:
            assert heard.recv(5) == b"hello"
"""


def test_loopback_and_unix_sockets_are_free(project: Project) -> None:
    project.write(text=LOOPBACK)
    assert set(project.record().outcomes.values()) == {"passed"}
    ran = project.replay()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text


NAMES = """
import contextlib
import socket

#: A name server that knows one host, whose answers this machine cannot reach.
REAL = socket.getaddrinfo

def fake(host, *rest, **named):
    import sys
    sys.audit("socket.getaddrinfo", host, *rest)
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.9", 80))]

socket.getaddrinfo = fake

def reach(address):
    with contextlib.closing(socket.socket()) as one:
        one.setblocking(False)
        with contextlib.suppress(OSError):
            one.connect(address)

@pytest.mark.wfreplay
def test_allowed(request):
    step.run("known", live)
    if request.config.getoption("wfreplay_record") is False:
        socket.getaddrinfo("api.example.com", 80)
        reach(("192.0.2.9", 80))
        reach(("10.1.2.3", 80))

@pytest.mark.wfreplay
def test_by_a_look_up_of_ones_own(request):
    step.run("known", live)
    if request.config.getoption("wfreplay_record") is False:
        fake("www.example.com", 80)
        reach(("192.0.2.9", 80))

@pytest.mark.wfreplay
def test_others(request):
    step.run("known", live)
    if request.config.getoption("wfreplay_record") is False:
        reach(("192.0.2.10", 80))
"""


def test_allowed_hosts_may_be_looked_up_and_reached(project: Project) -> None:
    project.ini("wfreplay_allowed_hosts =\n    *.example.com\n    10.0.0.0/8\n")
    project.write(text=NAMES)
    assert set(project.record().outcomes.values()) == {"passed"}
    ran = project.replay()
    assert ran.outcomes == {"test_allowed": "passed", "test_by_a_look_up_of_ones_own": "passed", "test_others": "failed"}, ran.text
    assert "connecting to 192.0.2.10:80 was refused" in ran.text


def test_a_host_that_is_none_is_a_usage_error_that_lists_what_is_legal(project: Project) -> None:
    project.ini("wfreplay_allowed_hosts = https://api.example.com/\n")
    project.write(text="def test_it():\n    pass\n")
    ran = project.run()
    assert ran.code == 4
    assert "ini wfreplay_allowed_hosts: 'https://api.example.com/' is not a host. Legal are a host (api.example.com)" in ran.text
    project.ini("")
    project.write("conftest.py", "def pytest_wfreplay_configure(settings):\n    settings.allowed_hosts.append('a b')\n")
    project.write(text="@pytest.mark.wfreplay\ndef test_it():\n    pass\n")
    ran = project.run()
    assert ran.code == 4
    assert "ini wfreplay_allowed_hosts: 'a b' is not a host." in ran.text


def test_a_harness_that_is_passed_is_not_called_and_its_sdk_is_not_imported(project: Project) -> None:
    project.write(
        text="""
import sys
from pytest_wfreplay.harnesses.resolve import resolve_harness

def flow(harness):
    flow = create_workflow("support")
    agent = flow.agent(prompt="Say hello.", activate_on=["workflow:start"], emits=["said"])
    return flow.run_reactive(agents={"one": agent}, state={}, harness=harness)

@pytest.mark.wfreplay
@pytest.mark.parametrize("name", ["object", "name"])
def test_harness(wfreplay, name):
    if wfreplay.mode == "rewrite":
        harness = ScriptedHarness(["hello"])
    else:
        harness = AnthropicHarness() if name == "object" else resolve_harness("anthropic")
    assert wfreplay.run(flow(harness)).outputs == {"one": "hello"}
    assert not {"anthropic", "openai", "httpx"} & set(sys.modules)
"""
    )
    ran = project.record()
    assert set(ran.outcomes.values()) == {"passed"}, ran.text
    ran = project.replay()
    assert ran.outcomes == {"test_harness[object]": "passed", "test_harness[name]": "passed"}, ran.text


MULTIPROCESSING = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

def work(given):
    return given

@pytest.fixture(scope="session")
def warm(request):
    # Its helpers run from now on, so the tests do not start those.
    for kind in ("spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(kind)) as pool:
            assert pool.submit(work, 1).result() == 1

@pytest.mark.wfreplay
@pytest.mark.parametrize("kind", ["spawn", "forkserver"])
def test_pool(wfreplay, warm, kind):
    step.run("known", live)
    if wfreplay.mode == "none":
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(kind)) as pool:
            pool.submit(work, 1).result()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither")
def test_processes_that_no_audit_hook_is_told_of_are_refused_too(project: Project) -> None:
    project.write(text=MULTIPROCESSING)
    assert set(project.record().outcomes.values()) == {"passed"}
    ran = project.replay()
    assert set(ran.outcomes.values()) == {"failed"}, ran.text
    assert "multiprocessing.spawn import spawn_main" in ran.told("test_pool[spawn]")[0]
    assert ran.told("test_pool[forkserver]")[0].startswith("LiveCallBlocked: starting the process `multiprocessing.forkserver` was refused")


def _guard(*hosts: str) -> tuple[Guard, Scope]:
    guard = Guard("test_it.py::test_it", 'pytest --record "test_it.py::test_it"', hosts_of(hosts), Redactor().text, "")
    return guard, guard.over(Scope(Line(LiveJournal(), source=LiveSource())), (), None)


def test_a_guard_goes_with_its_scope_and_with_nothing_else() -> None:
    guard, scope = _guard()
    refused: list[str] = []

    def tries() -> None:
        with suppress(LiveCallBlocked):
            subprocess.run([sys.executable, "-c", ""], check=True)
            return
        refused.append("refused")

    with entered(scope):
        tries()
        with entered(None):
            tries()
    tries()
    assert refused == ["refused"]
    with pytest.raises(LiveCallBlocked):
        guard.tell()
    guard.tell()


def test_what_is_refused_in_a_thread_of_the_system_is_told_without_a_line() -> None:
    guard, _ = _guard()
    caught: list[LiveCallBlocked] = []
    space: dict[str, object] = {"guard": guard, "caught": caught, "LiveCallBlocked": LiveCallBlocked}
    source = "def run():\n    try:\n        guard.process(b'ls')\n    except LiveCallBlocked as error:\n        caught.append(error)\n"
    exec(compile(source, "<string>", "exec"), space)  # noqa: S102 - a function of nobody's file
    run = space["run"]
    assert callable(run)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert caught[0].line == ""
    assert "called at" not in str(caught[0])


def test_odd_addresses_are_refused_as_they_are() -> None:
    guard, _ = _guard()
    guard.connect(2, None)
    with pytest.raises(LiveCallBlocked, match="connecting to 17 was refused"):
        guard.connect(99, 17)
    with pytest.raises(LiveCallBlocked, match=r"connecting to api\.example\.com was refused"):
        guard.connect(2, (b"api.example.com",))


def test_a_server_of_the_testing_process_is_reached_from_a_guarded_scope() -> None:
    import urllib.request

    _, scope = _guard("localhost")
    with HTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with entered(scope), urllib.request.urlopen(f"http://localhost:{server.server_port}/") as answer:
            assert answer.read() == b"hello"
        server.shutdown()
        thread.join()
