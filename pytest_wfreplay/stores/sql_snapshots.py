"""Snapshots in SQL: the tables, the statements and the operations on them, for every dialect; what is I/O is a driver's.

1. An append to a run that is at work is one statement. It touches no row but its own: when the run last changed is written once a second,
   and whenever this store's last append was to another run, so lists stay in order.
2. Changes are numbered upwards, by microseconds where the clock allows it, so no two are alike.
3. A lease's row outlives the lease, since its token may never come again; of leases that are swept away the row with the blank id keeps the last one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_wfreplay.steps.resume import WAIT
from pytest_wfreplay.steps.snapshots import Lease, SnapshotItem, StoredEntry
from pytest_wfreplay.steps.spelled import Spelled, answered, form_of, read, spelled
from pytest_wfreplay.stores.asked import cursor_at, lost, moment
from pytest_wfreplay.stores.sql import BEGIN, COMMIT, Dialect, Operation, Query, Schema

if TYPE_CHECKING:
    from pytest_wfreplay.clock import Clock

T = TypeVar("T")

SCHEMA = Schema(
    "snapshots",
    [
        [
            "CREATE TABLE {prefix}runs (run_id {word} NOT NULL PRIMARY KEY, form {text} NOT NULL, updated_at BIGINT NOT NULL)",
            "CREATE INDEX {prefix}runs_by_change ON {prefix}runs (updated_at, run_id)",
            (
                "CREATE TABLE {prefix}steps (position {serial}, run_id {word} NOT NULL, step_key {word} NOT NULL, is_final BIGINT NOT NULL,"
                " updated_at BIGINT NOT NULL, attempts BIGINT NOT NULL, started_at {text}, ended_at {text}, owner {text},"
                " input {text}, outcome {text},"
                " UNIQUE (run_id, step_key))"
            ),
            "CREATE TABLE {prefix}leases (run_id {word} NOT NULL PRIMARY KEY, token BIGINT NOT NULL, owner {word}, expires_at BIGINT NOT NULL)",
        ]
    ],
)

#: what several statements have in common
_PARTS = {
    "columns": "step_key, input, outcome, attempts, started_at, ended_at",
    "change": "(SELECT CASE WHEN last >= {now} THEN last + 1 ELSE {now} END"
    " FROM (SELECT COALESCE(MAX(updated_at), 0) AS last FROM {prefix}runs) AS latest)",
    "held": "EXISTS (SELECT 1 FROM {prefix}leases WHERE run_id = ? AND token = ? AND owner IS NOT NULL {share})",
    "append": "INSERT INTO {prefix}steps (run_id, step_key, input, outcome, attempts, started_at, ended_at, is_final, owner, updated_at)"
    " SELECT ?, ?, ?, ?, CAST(? AS BIGINT), ?, ?, CAST(? AS BIGINT), ?, {now} WHERE EXISTS (SELECT 1 FROM {prefix}runs WHERE run_id = ?)",
    "replace": "ON CONFLICT (run_id, step_key) DO UPDATE SET input = excluded.input, outcome = excluded.outcome, attempts = excluded.attempts,"
    " started_at = excluded.started_at, ended_at = excluded.ended_at, is_final = excluded.is_final, owner = excluded.owner,"
    " updated_at = excluded.updated_at WHERE {prefix}steps.is_final = 0",
}
_STATEMENTS = {
    "append": "{append} {replace}",
    "append_held": "{append} AND {held} {replace}",
    "touch": "INSERT INTO {prefix}runs (run_id, form, updated_at) VALUES (?, ?, {change})"
    " ON CONFLICT (run_id) DO UPDATE SET updated_at = excluded.updated_at",
    "save": "INSERT INTO {prefix}runs (run_id, form, updated_at) VALUES (?, ?, {change})"
    " ON CONFLICT (run_id) DO UPDATE SET form = excluded.form, updated_at = excluded.updated_at",
    "form": "SELECT form FROM {prefix}runs WHERE run_id = ?",
    "entry": "SELECT {columns} FROM {prefix}steps WHERE run_id = ? AND step_key = ?",
    "entries": "SELECT {columns} FROM {prefix}steps WHERE run_id = ? ORDER BY position",
    "records": "SELECT number, owner, updated_at, {columns} FROM (SELECT ROW_NUMBER() OVER (ORDER BY position) AS number, owner, updated_at,"
    " {columns} FROM {prefix}steps WHERE run_id = ?) AS numbered WHERE step_key >= ? AND (? = '' OR step_key < ?) ORDER BY number",
    "list": "SELECT run_id, updated_at FROM {prefix}runs WHERE run_id >= ? AND (? = '' OR run_id < ?)"
    " AND (updated_at < ? OR (updated_at = ? AND run_id < ?)) ORDER BY updated_at DESC, run_id DESC LIMIT ?",
    "delete_steps": "DELETE FROM {prefix}steps WHERE run_id = ?",
    "delete_run": "DELETE FROM {prefix}runs WHERE run_id = ?",
    "old": "SELECT run_id FROM {prefix}runs WHERE updated_at < ? AND NOT EXISTS (SELECT 1 FROM {prefix}leases"
    " WHERE {prefix}leases.run_id = {prefix}runs.run_id AND owner IS NOT NULL AND expires_at > {now})",
    "floor": "INSERT INTO {prefix}leases (run_id, token, owner, expires_at)"
    " VALUES ('', (SELECT COALESCE(MAX(token), 0) FROM {prefix}leases), NULL, 0) ON CONFLICT (run_id) DO UPDATE SET token = excluded.token",
    "sweep": "DELETE FROM {prefix}leases WHERE run_id <> '' AND (owner IS NULL OR expires_at <= {now})"
    " AND NOT EXISTS (SELECT 1 FROM {prefix}runs WHERE {prefix}runs.run_id = {prefix}leases.run_id)",
    "acquire": "INSERT INTO {prefix}leases (run_id, token, owner, expires_at)"
    " VALUES (?, (SELECT COALESCE(MAX(token), 0) + 1 FROM {prefix}leases WHERE run_id = ''), ?, {now} + ?)"
    " ON CONFLICT (run_id) DO UPDATE SET token = {prefix}leases.token + 1, owner = excluded.owner, expires_at = excluded.expires_at"
    " WHERE {prefix}leases.owner IS NULL OR {prefix}leases.owner = excluded.owner OR {prefix}leases.expires_at <= {now}"
    " OR {prefix}leases.token = ? RETURNING token, expires_at",
    "renew": "UPDATE {prefix}leases SET expires_at = {now} + ? WHERE run_id = ? AND token = ? AND owner IS NOT NULL AND expires_at > {now}"
    " RETURNING owner, expires_at",
    "release": "UPDATE {prefix}leases SET owner = NULL, expires_at = 0 WHERE run_id = ? AND token = ?",
    "held": "SELECT 1 WHERE {held}",
    "holder": "SELECT token, owner, expires_at FROM {prefix}leases WHERE run_id = ? AND owner IS NOT NULL AND expires_at > {now}",
}

_ESCAPED = re.compile(r"\\[\\0]")

#: How old, in seconds, the time of a run's last change may get while steps are appended to it.
_STALE = 1.0
_SECOND = 1_000_000
#: No integer of a database is greater, and no limit of a page needs to be.
_MOST = 2**62
_SURROGATES, _AFTER_SURROGATES = 0xD800, 0xE000


class SnapshotOperations:
    """The operations on one database's snapshots, its statements spelled once."""

    def __init__(self, dialect: Dialect, clock: Clock) -> None:
        self._clock = clock
        parts = {name: dialect.spell(part) for name, part in _PARTS.items()}
        self._sql = {name: dialect.spell(statement, **parts) for name, statement in _STATEMENTS.items()}
        self._append, self._append_held = self._sql["append"], self._sql["append_held"]
        self._touched: tuple[str, float] = ("", 0.0)

    def append(self, id: str, row: Spelled, token: int | None, owner: str | None) -> Operation[Spelled]:
        """Keep a step; the one that stands then."""
        touched, at = self._touched
        if touched == id and self._clock.monotonic() - at < _STALE and (yield self._appending(id, row, token, owner)).changed:
            return row
        return (yield from self._append_anew(id, row, token, owner))

    def _append_anew(self, id: str, row: Spelled, token: int | None, owner: str | None) -> Operation[Spelled]:
        """The same for a run that is new or was not at work just now, or where something stands in the way."""
        yield BEGIN
        if token is not None and not (yield Query(self._sql["held"], (_held(id), token))).rows:
            raise lost(id, token)
        stands = yield from self.entry(id, row.key)
        if stands is None or not stands.is_final:
            yield from self._keep(id, row, owner)
            stands = row
        yield COMMIT
        return stands

    def _keep(self, id: str, row: Spelled, owner: str | None) -> Operation[None]:
        yield Query(self._sql["touch"], (_held(id), form_of()))
        yield self._appending(id, row, None, owner)
        self._touched = (id, self._clock.monotonic())

    def _appending(self, id: str, row: Spelled, token: int | None, owner: str | None) -> Query:
        run = _held(id)
        parameters = (run, _held(row.key), *row[1:], int(row.is_final), owner and _held(owner), run)
        return Query(self._append, parameters) if token is None else Query(self._append_held, (*parameters, run, token))

    def save(self, id: str, form: str, rows: Sequence[Spelled]) -> Operation[None]:
        """Keep a whole state in place of all that there is."""
        yield BEGIN
        yield Query(self._sql["delete_steps"], (_held(id),))
        yield Query(self._sql["save"], (_held(id), form))
        yield Query(self._append, [self._appending(id, row, None, None).parameters for row in rows], is_many=True)
        yield COMMIT
        self._touched = (id, self._clock.monotonic())

    def load(self, id: str, reading: Callable[[str, list[Spelled]], T]) -> Operation[T | None]:
        """What the form and the steps are read as, in the thread that got them."""
        found = (yield Query(self._sql["form"], (_held(id),))).rows
        if not found:
            return None
        rows = (yield Query(self._sql["entries"], (_held(id),))).rows
        return reading(found[0][0], [_spelled(row) for row in rows])

    def entry(self, id: str, key: str) -> Operation[Spelled | None]:
        """One step."""
        rows = (yield Query(self._sql["entry"], (_held(id), _held(key)))).rows
        return _spelled(rows[0]) if rows else None

    def records(self, id: str, prefix: str) -> Operation[list[StoredEntry]]:
        """The steps whose keys begin so."""
        rows = (yield Query(self._sql["records"], (_held(id), *_range(prefix)))).rows
        return [StoredEntry(row[0], read(_spelled(row[3:])), row[1] and _given(row[1]), row[2] // 1000) for row in rows]

    def delete(self, id: str) -> Operation[None]:
        """Forget a run."""
        yield BEGIN
        yield Query(self._sql["delete_steps"], (_held(id),))
        yield Query(self._sql["delete_run"], (_held(id),))
        yield COMMIT

    def list(self, prefix: str, limit: int, place: tuple[int, str] | None) -> Operation[tuple[tuple[SnapshotItem, ...], str | None]]:
        """The runs whose ids begin so, and the cursor behind them."""
        changed, before = place or (_MOST, "")
        limit = min(limit, _MOST)
        rows = (yield Query(self._sql["list"], (*_range(prefix), changed, changed, _held(before), limit + 1))).rows
        items = tuple(SnapshotItem(_given(name), moment(changed // 1000)) for name, changed in rows[:limit])
        return items, cursor_at(rows[limit - 1][1], items[-1].id) if len(rows) > limit else None

    def prune(self, before: int) -> Operation[int]:
        """Forget what was last changed before (in microseconds) and is not held, and the leases of runs that are gone."""
        yield BEGIN
        old = (yield Query(self._sql["old"], (before,))).rows
        for name in ("delete_steps", "delete_run"):
            yield Query(self._sql[name], [tuple(row) for row in old], is_many=True)
        yield Query(self._sql["floor"])
        yield Query(self._sql["sweep"])
        yield COMMIT
        return len(old)

    def acquire(self, id: str, owner: str, ttl: float, instead_of: int | None) -> Operation[Lease | None]:
        """The lease, or None."""
        rows = (yield Query(self._sql["acquire"], (_held(id), _held(owner), round(ttl * _SECOND), instead_of))).rows
        return Lease(id, owner, rows[0][0], moment(rows[0][1] // 1000)) if rows else None

    def renew(self, id: str, token: int, ttl: float) -> Operation[Lease]:
        """The lease, for longer."""
        rows = (yield Query(self._sql["renew"], (round(ttl * _SECOND), _held(id), token))).rows
        if not rows:
            raise lost(id, token)
        return Lease(id, _given(rows[0][0]), token, moment(rows[0][1] // 1000))

    def release(self, id: str, token: int) -> Operation[None]:
        """Give the lease back."""
        if not (yield Query(self._sql["release"], (_held(id), token))).changed:
            raise lost(id, token)

    def holder(self, id: str) -> Operation[Lease | None]:
        """The lease that is held."""
        rows = (yield Query(self._sql["holder"], (_held(id),))).rows
        return Lease(id, _given(rows[0][1]), rows[0][0], moment(rows[0][2] // 1000)) if rows else None

    def deliver(self, id: str, name: str, value: object, at: str) -> Operation[None]:
        """Answer a wait."""
        yield BEGIN
        waits = yield from self.records(id, WAIT)
        yield from self._keep(id, spelled(answered(name, value, at, waits)), None)
        yield COMMIT


def _spelled(row: Sequence[Any]) -> Spelled:
    return Spelled(_given(row[0]), *row[1:])


def _held(text: str) -> str:
    """The text as databases hold it: PostgreSQL has no NUL."""
    return text.replace("\\", "\\\\").replace("\0", "\\0") if "\\" in text or "\0" in text else text


def _given(text: str) -> str:
    """The text that `_held` spelled."""
    return _ESCAPED.sub(lambda found: "\0" if found[0] == "\\0" else "\\", text) if "\\" in text else text


def _range(prefix: str) -> tuple[str, str, str]:
    """The bounds of all texts that begin so: from the first up to and without the last, which is blank when there is none."""
    first = _held(prefix)
    last = first.rstrip(chr(0x10FFFF))
    if last:
        following = ord(last[-1]) + 1
        last = last[:-1] + chr(_AFTER_SURROGATES if following == _SURROGATES else following)
    return first, last, last
