from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pytest_wfreplay.clock import CountingClock
from pytest_wfreplay.errors import CassetteUnreadable
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.recording import Recording, RecordingMetadata
from pytest_wfreplay.signal import Signal, signal_id
from pytest_wfreplay.stores.cassette_file import CassetteFile
from pytest_wfreplay.stores.files import FileSignalStore
from pytest_wfreplay.trace import Trace


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def crash(folder: Path) -> None:
    """Cut off the last line of a recording that is being made."""
    with next(folder.glob("*.partial")).open("a") as sidecar:
        sidecar.write('{"run": "rec')


def test_a_recording_is_one_readable_file_named_by_its_name_and_id(tmp_path: Path) -> None:
    async def go() -> None:
        store = FileSignalStore(tmp_path, clock=CountingClock())
        made = await store.create("a refund: ünïcode/…")
        assert listed(tmp_path) == [f"a-refund-unicode-{made}.partial"]
        await store.finalize(made)
        assert listed(tmp_path) == [f"a-refund-unicode-{made}.yaml"]
        assert len(CassetteFile(tmp_path / f"a-refund-unicode-{made}.yaml").read().runs) == 1

    asyncio.run(go())


def test_what_one_store_has_written_another_reads_and_goes_on_with(tmp_path: Path) -> None:
    async def go() -> None:
        one, two = FileSignalStore(tmp_path), FileSignalStore(tmp_path)
        made = await one.create("n", ("t",))
        await one.append(made, {"name": "a"})
        await one.checkpoint(made, "p")
        crash(tmp_path)
        await two.append(made, {"name": "b"})
        await two.append_entry(made, {"key": "s", "outcome": {"error": {"type": "E", "message": ""}}})
        found = await FileSignalStore(tmp_path).load(made)
        assert found is not None
        assert found.metadata.status == "recording"
        assert found.signals.names == ["a", "b"]
        await two.finalize(made, "failed")
        assert [metadata.status for metadata in await FileSignalStore(tmp_path).list()] == ["failed"]

    asyncio.run(go())


def test_tests_cassettes_below_the_folder_are_recordings_too(tmp_path: Path) -> None:
    runs = tuple(Recording(RecordingMetadata(f"rec_{at}", status="completed", created_at=f"2026-01-0{at}T00:00:00.000Z")) for at in (1, 2))
    file = CassetteFile(tmp_path / "sub" / "test_a.yaml")
    file.write(Cassette(runs))
    file.write_failed(Cassette((Recording(RecordingMetadata("rec_9")),)))

    async def go() -> None:
        store = FileSignalStore(tmp_path)
        assert [metadata.id for metadata in await store.list()] == ["rec_2", "rec_1"]
        await store.delete("rec_1")
        assert file.read() == Cassette(runs[1:])
        await store.delete("rec_2")
        assert not file.exists()

    asyncio.run(go())


def test_a_list_counts_signals_without_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(Signal(signal_id(at), "a", "\n  at_ms: [1]\n# end\n", "") for at in range(1, 8))
    metadata = RecordingMetadata("rec_1", "n", ("t",), "w", "h", "2026-01-01T00:00:00.000Z", 3, 7, "failed", {"type": "E", "message": "x\ny"})
    CassetteFile(tmp_path / "a.yaml").write(Cassette((Recording(metadata, {"a": 1}, signals=trace),)))

    def refuse(*_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr("pytest_wfreplay.recording.codec.unfold.Unfolded._add", refuse)
    assert asyncio.run(FileSignalStore(tmp_path).list()) == [metadata]


def test_a_file_that_cannot_be_read_is_an_error_and_not_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{")
    store = FileSignalStore(tmp_path)
    with pytest.raises(CassetteUnreadable):
        asyncio.run(store.list())


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert asyncio.run(FileSignalStore(tmp_path / "none").list()) == []
