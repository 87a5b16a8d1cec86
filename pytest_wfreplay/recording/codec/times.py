"""Timestamps as milliseconds since the recording began, and back."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING

from pytest_wfreplay.clock import iso, read_iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
#: What every calendar knows, in milliseconds.
_FIRST, _LAST = ((dt.datetime(year, 1, 1, tzinfo=dt.UTC) - _EPOCH) // _MILLISECOND for year in (2, 9999))

#: Where time begins for a recording that does not say when it was made: where the counting clock begins, too.
_START = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def offsets(timestamps: Iterable[str], start: str) -> list[int]:
    """Milliseconds since `start`, one a timestamp; a text that is no timestamp stands where the one before it stood."""
    begun = _started(start)
    milliseconds = _milliseconds_of_endings()
    found: list[int] = []
    second, base = "", 0  # the second that was last, and the milliseconds from the start to it
    for text in timestamps:
        rest = milliseconds.get(text[20:])
        if rest is not None and text[:20] == second:
            found.append(base + rest)
            continue
        moment = _milliseconds(text)
        if moment is not None and rest is not None:
            second, base = text[:20], moment - begun - rest
        found.append(moment - begun if moment is not None else found[-1] if found else 0)
    return found


def timestamps(at_ms: Sequence[float], count: int, start: str) -> list[str]:
    """`count` timestamps; where numbers are missing they count one millisecond a signal.

    Raises:
        ValueError, OverflowError: a number is beyond all calendars.
    """
    begun = _started(start)
    moments = [begun + (number if type(number) is int else round(number)) for number in at_ms[:count]]
    follows = moments[-1] + 1 if moments else begun
    moments += range(follows, follows + count - len(moments))
    seconds, endings = _Seconds(), _endings()
    spelled: list[str] = []
    last, text = None, ""
    for moment in moments:
        if moment != last:  # what came in one millisecond shares its text
            last, text = moment, seconds[moment // 1000] + endings[moment % 1000]
        spelled.append(text)
    return spelled


def check_calendar(at_ms: Sequence[float], count: int, start: str) -> None:
    """See to it that each of the `timestamps` can be made when it is asked for.

    Raises:
        ValueError, OverflowError: a number is beyond all calendars.
    """
    begun = _started(start)
    last = at_ms[-1] if at_ms else 0
    lowest, highest = min(at_ms, default=0), max(max(at_ms, default=0), last + count)
    if not (begun + lowest >= _FIRST and begun + highest < _LAST):
        timestamps([lowest, highest], 2, start)


class _Seconds(dict[int, str]):
    """The spelling of each second that is asked for, up to its point."""

    def __missing__(self, second: int) -> str:
        spelled = self[second] = iso(_EPOCH + dt.timedelta(seconds=second)).removesuffix("000Z")
        return spelled


def _started(start: str) -> int:
    begun = _milliseconds(start)
    return (_START - _EPOCH) // _MILLISECOND if begun is None else begun


def _milliseconds(text: str) -> int | None:
    try:
        moment = read_iso(text)
    except ValueError:
        return None
    return ((moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment) - _EPOCH) // _MILLISECOND


@functools.cache
def _endings() -> tuple[str, ...]:
    return tuple(f"{millisecond:03d}Z" for millisecond in range(1000))


@functools.cache
def _milliseconds_of_endings() -> dict[str, int]:
    return {ending: number for number, ending in enumerate(_endings())}
