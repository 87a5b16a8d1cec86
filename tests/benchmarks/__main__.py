"""Run the benchmarks beside this file (`bench_*.py`), each in a process of its own; fail when one of them misses what we promise.

A benchmark prints one line per figure, a ratio measured in its one process beside the promised bound, and exits with 1 when a bound is missed.
Names on the command line choose: `python tests/benchmarks replay codec`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(wanted: list[str]) -> int:
    """Run the wanted benchmarks, or all of them; the exit status."""
    found = sorted(Path(__file__).parent.glob("bench_*.py"))
    chosen = [path for path in found if not wanted or path.stem.removeprefix("bench_") in wanted]
    missed = [path.stem for path in chosen if subprocess.run([sys.executable, str(path)], check=False).returncode]
    print(f"{len(chosen) - len(missed)} of {len(chosen)} benchmarks keep their promises", *missed)
    return 1 if missed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
