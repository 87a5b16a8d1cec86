"""What the look for unused cassettes costs: a multiple of one walk of the cassette folder with os.scandir; run `python tests/benchmarks unused`.

A suite whose cassettes are in use: all but a few were claimed by tests. Only the others are opened, so that is what is measured: the whole check,
with the few headers that it reads. Both take turns in one process, and the quickest of each are compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pytest_wfreplay.plugin.settings import Settings
from pytest_wfreplay.plugin.tally import Tally
from pytest_wfreplay.plugin.unused import look
from pytest_wfreplay.recording.cassette import HEADER
from pytest_wfreplay.recording.modes import MODES

FILES, FOLDERS, UNUSED, ROUNDS = 10_000, 100, 10, 30
MOST_RATIO = 3.0


def walk(folder: str) -> int:
    """The unit: every entry below a folder, files counted."""
    count, waiting = 0, [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    count += 1
    return count


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Print a line; 1 when the promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        settings = Settings(MODES[0], root, root / "cassettes")
        tally = Tally(settings.cassette_dir)
        for number in range(FILES):
            path = settings.cassette_dir / f"test_{number % FOLDERS}" / f"test_it[{number}].yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'{HEADER}pytest --record "test_{number % FOLDERS}.py::test_it[{number}]"\nformat: 1\nruns: []\n# end\n')
            if number >= UNUSED:
                tally.claim(path)
        tally.began = 1e11  # long after the files were written
        found = look(tally, settings).unused or ()
        best = [float("inf"), float("inf")]
        for _ in range(ROUNDS):
            best[0] = min(best[0], seconds(lambda: walk(str(settings.cassette_dir))))
            best[1] = min(best[1], seconds(lambda: look(tally, settings)))
    ratio = best[1] / best[0]
    is_kept = ratio <= MOST_RATIO and len(found) == UNUSED
    print(
        f"{len(found)} unused among {FILES} cassettes: {best[1] * 1000:.1f} ms, {ratio:.2f}x a walk with os.scandir (promised {MOST_RATIO:g}x): "
        f"{'meets' if is_kept else 'misses'}"
    )
    return int(not is_kept)


if __name__ == "__main__":
    sys.exit(main())
