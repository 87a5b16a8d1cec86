"""What every store of snapshots is asked alike: limits, cursors, moments, leases; checked here, so that no store has rules of its own."""

from __future__ import annotations

import datetime as dt
import json
import math

from pytest_wfreplay.clock import iso
from pytest_wfreplay.errors import ConfigurationError, LeaseLost


def checked_limit(limit: int) -> int:
    """The limit of a page. Raises `ConfigurationError`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ConfigurationError(f"limit counts from 1, not {limit!r}.", hint="Ask for a page of 1 or more; its cursor leads to the next one.")
    return limit


def checked_ttl(ttl: float) -> float:
    """The seconds of a lease. Raises `ConfigurationError`."""
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= 10**9 or not math.isfinite(ttl):
        raise ConfigurationError(f"ttl is seconds, more than 0, not {ttl!r}.", hint="A lease is renewed, so a minute is long enough.")
    return ttl


def cursor_at(changed: int, id: str) -> str:
    """The cursor behind an item: what was changed before it comes next."""
    return json.dumps([changed, id]).encode().hex()


def place_of(cursor: str | None) -> tuple[int, str] | None:
    """The place that a cursor stands for. Raises `ConfigurationError` for one that no page gave."""
    if cursor is None:
        return None
    try:
        changed, name = json.loads(bytes.fromhex(cursor))
    except (TypeError, ValueError):
        changed, name = None, None
    if not isinstance(changed, int) or not isinstance(name, str):
        raise ConfigurationError(f"Not a cursor: {cursor!r}.", hint="Pass the cursor of the page before, or none for the first page.")
    return changed, name


def microseconds(moment: dt.datetime) -> int:
    """Microseconds since 1970; a moment without a time zone is taken for UTC."""
    aware = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
    return round(aware.timestamp() * 1_000_000)


def moment(milliseconds: int) -> str:
    """Milliseconds since 1970 as ISO-8601 in UTC."""
    return iso(dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(milliseconds=milliseconds))


def lost(id: str, token: int) -> LeaseLost:
    """The error for whoever comes with a token that is no longer that of the lease."""
    return LeaseLost(
        f"The lease on {id!r} with token {token} is lost: it ran out, was released or was taken over.",
        hint="Another owner may be at work: stop, or acquire the lease again and load what it has done.",
    )
