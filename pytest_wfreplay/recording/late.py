"""What was kept before a rule came that takes something out of it: a good recording is refused, one of a failed test is cleaned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_wfreplay.errors import SecretLeakError
from pytest_wfreplay.recording.cassette import Cassette
from pytest_wfreplay.recording.pieces import cleaned_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_wfreplay.recording.cleaning import Cleaning
    from pytest_wfreplay.recording.recording import Recording


def refuse_late(cassette: Cassette, cleaning: Callable[[], Cleaning], path: str) -> None:
    """See that the rules find nothing in what was kept: a replay has no way to know a rule before it comes.

    Raises:
        SecretLeakError: they do; `.place` says where.
    """
    for recording in cassette.runs:
        after = cleaned_recording(recording, cleaning())
        if after != recording:
            place = _place(recording, after)
            error = SecretLeakError(
                f"{path}: {place} was recorded before the rule came that takes something out of it. Nothing was written.",
                hint="Call wfreplay.add_redactor(...) before the first step, or give the rule as redact= of the marker or in ini wfreplay_redact.",
            )
            error.path, error.place = path, place
            raise error


def cleaned_cassette(cassette: Cassette, cleaning: Callable[[], Cleaning]) -> Cassette:
    """The cassette without what the rules find by now."""
    return Cassette(tuple(cleaned_recording(recording, cleaning()) for recording in cassette.runs))


def _place(before: Recording, after: Recording) -> str:
    """The first place that differs, as it was and may still be called."""
    for old, new in zip(before.entries, after.entries, strict=True):
        if old != new:
            return f"steps[{new.key}]"
    for heard, clean in zip(before.signals, after.signals, strict=True):
        if heard != clean:
            return f"signals[{clean.name}]"
    return "the state" if (before.initial_state, before.final_state) != (after.initial_state, after.final_state) else "the run"
