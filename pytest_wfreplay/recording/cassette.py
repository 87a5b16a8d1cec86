"""The cassette: the recordings of one test, and the words by which its file is known."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_wfreplay.recording.recording import Recording

#: The format that is written. A newer one is refused, an older one is upgraded in memory (see `upgrade`).
FORMAT = 1

#: How the file begins; the command that records it again follows on the same line.
HEADER = "# Recorded by pytest-wfreplay. Replay: pytest. Record again: "

#: What makes a file ours: only such files are ever truncated, or deleted as unused.
MARK = "# Recorded by pytest-wfreplay."

#: The last line of a whole file.
END = "# end"

#: How deep a file may nest.
MAX_NESTING = 200

#: How large a file may be, in bytes, where nobody says otherwise.
MAX_BYTES = 100_000_000

#: What records a cassette again when nobody says which test it belongs to.
RECORD = "pytest --record"


@dataclass(frozen=True, slots=True)
class Cassette:
    """The recordings of one test, in the order in which its runs began."""

    runs: tuple[Recording, ...] = ()

    def of(self, test: str) -> Cassette:
        """What a test finds in a cassette that it shares: the runs that have its name, else all of them."""
        named = tuple(run for run in self.runs if run.metadata.name == test)
        return Cassette(named) if named else self

    def has(self, test: str) -> bool:
        """Whether a test has runs of its own in here."""
        return any(run.metadata.name == test for run in self.runs)

    def with_runs_of(self, test: str, recorded: Cassette) -> Cassette:
        """The cassette with what a test recorded in place of what it had recorded before; the runs of others stay as they are."""
        at = next((at for at, run in enumerate(self.runs) if run.metadata.name == test), len(self.runs))
        kept = [run for run in self.runs if run.metadata.name != test]
        return Cassette((*kept[:at], *recorded.runs, *kept[at:]))
