from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_wfreplay.clock import CountingClock
from pytest_wfreplay.errors import CassetteEmpty, CassetteMissing, CassetteUnreadable, NotJsonError
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal
from pytest_wfreplay.stores.cassette_file import CassetteFile, abandoned_command, is_abandoned, sweep
from pytest_wfreplay.stores.files_partial import read_partial
from pytest_wfreplay.trace import Trace

RUN = Recording(
    RecordingMetadata("rec_1", None, (), "flow", None, "2026-11-20T10:00:00.000Z", 1, 1, "completed"),
    signals=Trace([Signal("sig_000001", "a", "x", "2026-11-20T10:00:00.001Z")]),
)
CASSETTE = Cassette((RUN,))
LATER = Cassette((dataclasses.replace(RUN, metadata=dataclasses.replace(RUN.metadata, id="rec_2", duration_ms=9)),))
OTHER = Cassette((dataclasses.replace(RUN, final_state={"a": 1}),))


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def file(tmp_path: Path) -> CassetteFile:
    return CassetteFile(tmp_path / "deep" / "test_a[x].yaml", command='pytest --record "t.py::test_a"')


def test_what_was_written_is_read(file: CassetteFile) -> None:
    assert not file.exists()
    assert file.write(CASSETTE) is True
    assert file.exists()
    assert file.read() == CASSETTE
    assert file.path.read_text().startswith('# Recorded by pytest-wfreplay. Replay: pytest. Record again: pytest --record "t.py::test_a"\n')
    assert listed(file.path.parent) == ["test_a[x].yaml"]


def test_a_file_is_left_untouched_when_only_the_day_is_new(file: CassetteFile) -> None:
    file.write(CASSETTE)
    by_hand = file.path.read_text().replace("format: 1", "format: 1  # mine")
    file.path.write_text(by_hand)
    before = file.path.stat()
    assert file.write(LATER, command="pytest --record other") is False
    assert file.path.read_text() == by_hand
    assert (file.path.stat().st_mtime_ns, file.path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert file.write(OTHER) is True
    assert file.read() == OTHER


def test_a_broken_file_is_replaced_by_a_good_recording(file: CassetteFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("")
    assert file.write(CASSETTE) is True
    assert file.read() == CASSETTE


def test_a_missing_cassette_says_how_to_record_it(file: CassetteFile) -> None:
    with pytest.raises(CassetteMissing, match="there is no cassette") as caught:
        file.read()
    assert caught.value.hint == 'Record it: pytest --record "t.py::test_a"'
    assert caught.value.path == str(file.path)


def test_an_empty_one_and_a_folder_are_not_missing(file: CassetteFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("")
    with pytest.raises(CassetteEmpty):
        file.read()
    file.path.unlink()
    file.path.mkdir()
    with pytest.raises(CassetteUnreadable, match="it cannot be read"):
        file.read()
    with pytest.raises(CassetteUnreadable, match="it cannot be written"):
        file.write(CASSETTE)
    assert listed(file.path.parent) == [file.path.name]


def test_a_file_beyond_the_limit_is_not_read(file: CassetteFile) -> None:
    file.write(CASSETTE)
    with pytest.raises(CassetteUnreadable, match=r"the limit \(max_bytes\) is 5"):
        CassetteFile(file.path, max_bytes=5).read()


def test_a_folder_that_is_a_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cassettes").write_text("")
    with pytest.raises(CassetteUnreadable, match="it cannot be written") as caught:
        CassetteFile(tmp_path / "cassettes" / "a.yaml", command="pytest --record a").write(CASSETTE)
    assert caught.value.hint.endswith("then record it again: pytest --record a")


def test_what_is_not_json_leaves_the_old_file(file: CassetteFile) -> None:
    file.write(CASSETTE)
    with pytest.raises(NotJsonError):
        file.write(Cassette((dataclasses.replace(RUN, final_state={"a": float("nan")}),)))
    assert file.read() == CASSETTE
    assert listed(file.path.parent) == [file.path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on the size of files is POSIX'")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(file: CassetteFile) -> None:
    file.write(CASSETTE)
    script = f"""
        import dataclasses, resource, signal, sys
        from pytest_wfreplay.errors import CassetteUnreadable
        from pytest_wfreplay.stores.cassette_file import CassetteFile
        from pytest_wfreplay.recording.cassette import Cassette
        file = CassetteFile({str(file.path)!r})
        [run] = file.read().runs
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            file.write(Cassette((dataclasses.replace(run, final_state={{"a": "x" * 10000}}),)))
        except CassetteUnreadable as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert "it cannot be written: File too large" in done.stdout
    assert file.read() == CASSETTE
    assert listed(file.path.parent) == [file.path.name]


def test_a_linked_cassette_stays_a_link(file: CassetteFile, tmp_path: Path) -> None:
    file.write(CASSETTE)
    link = tmp_path / "link.yaml"
    link.symlink_to(file.path)
    CassetteFile(link).write(OTHER)
    assert link.is_symlink()
    assert file.read() == OTHER


def test_many_writers_leave_one_whole_cassette(file: CassetteFile) -> None:
    script = f"""
        import dataclasses, sys
        from pytest_wfreplay.recording.cassette import Cassette
        from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
        from pytest_wfreplay.stores.cassette_file import CassetteFile
        for at in range(20):
            run = Recording(RecordingMetadata("rec_1"), {{"who": sys.argv[1], "at": at, "text": "x" * 10000}})
            CassetteFile({str(file.path)!r}).write(Cassette((run,)))
    """
    writers = [subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), str(who)]) for who in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert len(file.read().runs) == 1
    assert listed(file.path.parent) == [file.path.name]


def test_a_failed_recording_lies_beside_the_cassette_and_a_good_one_removes_it(file: CassetteFile) -> None:
    file.write(CASSETTE)
    assert file.write_failed(OTHER) == file.path.with_name("test_a[x].failed.yaml")
    run = file.partial().begin(RUN)
    run.signal(Signal("sig_000002", "b", None, ""))
    assert file.read() == CASSETTE
    assert listed(file.path.parent) == ["test_a[x].failed.yaml", "test_a[x].partial", "test_a[x].yaml"]
    assert CassetteFile(file.failed_path).read() == OTHER
    assert file.write(LATER) is False
    assert listed(file.path.parent) == ["test_a[x].yaml"]


def test_what_was_heard_before_a_crash_can_be_read(file: CassetteFile) -> None:
    run = file.partial().begin(RUN)
    run.signal(Signal("sig_000002", "b", {"a": [1]}, ""))
    with file.partial_path.open("a") as sidecar:
        sidecar.write('{"run": "rec_1", "sig')
    [draft] = read_partial(file.partial_path, CountingClock())
    assert draft.recording().signals.names == ["a", "b"]


@pytest.mark.parametrize("line", ["x", "{}", '{"run": "rec_9", "signal": {"name": "a"}}', '{"run": "rec_1", "signal": {"nme": "a"}}', "[]"])
def test_a_broken_line_of_a_partial_file_is_named(file: CassetteFile, line: str) -> None:
    file.partial().begin(RUN)
    with file.partial_path.open("a") as sidecar:
        sidecar.write(f"{line}\n{line}\n")
    with pytest.raises(CassetteUnreadable, match="not a line of a partial recording") as caught:
        read_partial(file.partial_path, CountingClock())
    assert caught.value.line == 3


def test_deleting_takes_all_of_it_and_is_silent_when_there_is_none(file: CassetteFile) -> None:
    file.write(CASSETTE)
    file.write_failed(OTHER)
    file.delete()
    file.delete()
    assert listed(file.path.parent) == []


ELSEWHERE = """
import sys, time
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.stores.cassette_file import CassetteFile
file = CassetteFile(sys.argv[1], command="pytest --record elsewhere")
partial = file.partial()
partial.begin(Recording(RecordingMetadata("rec_1")))
with file._lock():
    print(file.path.with_name(f".wfreplay-{sys.argv[2]}-1.tmp").write_text(""), flush=True)
    time.sleep(60)
"""


def test_what_another_process_is_writing_is_left_alone_until_it_dies(file: CassetteFile) -> None:
    """Its sidecar is not dropped, not taken for a crashed recording and not written into; nor is its temporary file swept away."""
    file.write(CASSETTE)
    digest = hashlib.sha256(os.path.realpath(file.path).encode()).hexdigest()[:32]
    command = [sys.executable, "-c", ELSEWHERE, str(file.path), digest]
    scratch, unknown = file.path.with_name(f".wfreplay-{digest}-1.tmp"), file.path.with_name(".mine.tmp")
    unknown.write_text("")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert file.partial() is None
        assert not is_abandoned(file.partial_path)
        assert abandoned_command(file.partial_path) is None
        file._tidy()
        sweep([scratch, unknown])
        assert file.partial_path.exists()
        assert scratch.exists()
        other.kill()
    assert abandoned_command(file.partial_path) == "pytest --record elsewhere"
    sweep([scratch, unknown])
    assert not scratch.exists()
    assert unknown.exists()
    assert file.write(LATER) is False
    assert not file.partial_path.exists()


@pytest.mark.parametrize(
    ("text", "command"), [("", "pytest --record"), ('{"run": "re', "pytest --record"), ('{"run": "rec_1", "began": {}}\n', None)]
)
def test_a_sidecar_whose_first_line_was_cut_off_is_abandoned_and_a_stores_is_not(file: CassetteFile, text: str, command: str | None) -> None:
    file.partial_path.parent.mkdir(parents=True)
    assert abandoned_command(file.partial_path) is None, "it is not there"
    file.partial_path.write_text(text)
    assert abandoned_command(file.partial_path) == command


def test_a_cassette_away_from_its_project_says_the_way_home(file: CassetteFile) -> None:
    file.write(CASSETTE, home="cd ../.. && ")
    assert file.path.read_text().splitlines()[0].endswith('Record again: cd ../.. && pytest --record "t.py::test_a"')
