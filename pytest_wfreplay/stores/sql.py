"""What SQL stores and drivers have in common: operations say which statements they need, a driver answers them, waiting or not.

1. An operation is a generator: it yields queries and is sent their answers. It does no I/O, so one operation serves direct and async drivers.
2. Statements are written once, in what SQLite, libSQL and PostgreSQL have in common: parameters are `?`, upserts are ON CONFLICT,
   values are texts and 64-bit integers, never JSON columns. What must differ is a field of `Dialect`, spelled `{field}`.
3. Between BEGIN and COMMIT all of an operation happens or nothing; whatever it raises rolls it back. Without BEGIN each query is for itself.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from pytest_wfreplay.errors import StoreError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Query(NamedTuple):
    """One statement and its parameters; with `is_many` they are rows of parameters, and the answer has no rows."""

    text: str
    parameters: Sequence[Any] = ()
    is_many: bool = False


class Answer(NamedTuple):
    """What a statement gave: its rows, and how many it changed."""

    rows: Sequence[Sequence[Any]]
    changed: int


Operation: TypeAlias = Generator[Query, Answer, T_co]

#: Drivers begin a transaction that will write, and end it, each in their own words.
BEGIN, COMMIT = Query("BEGIN"), Query("COMMIT")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between databases, as it stands in statements."""

    #: How the names of tables begin.
    prefix: str = "wfreplay_"
    #: The time of the database in microseconds since 1970, an integer.
    now: str = ""
    #: The type of a column that numbers its rows by itself, upwards.
    serial: str = ""
    #: The type of a text that is compared by its code points.
    word: str = "TEXT"
    #: The type of a text of any length.
    text: str = "TEXT"
    #: What makes a SELECT keep others from changing what it read, until COMMIT.
    share: str = ""
    #: A query that gives a row when there is a table of the one parameter's name.
    has_table: str = ""

    def spell(self, statement: str, **parts: str) -> str:
        """The statement in this dialect; `parts` are spelled already."""
        fields = ("prefix", "now", "serial", "word", "text", "share")
        return statement.format(**{field: getattr(self, field) for field in fields}, **parts)


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one facet: for each version, from 1, the statements that lead to it from the one before."""

    facet: str
    versions: Sequence[Sequence[str]]

    def checked(self, dialect: Dialect) -> Operation[int]:
        """The version that is there, 0 for none; nothing is written. Raises `StoreError` for a newer one than this."""
        found = yield Query(dialect.has_table, (f"{dialect.prefix}schema_version",))
        if not found.rows:
            return 0
        asked = dialect.spell("SELECT version FROM {prefix}schema_version WHERE facet = ?")
        rows = (yield Query(asked, (self.facet,))).rows
        version = rows[0][0] if rows else 0
        if not isinstance(version, int) or not 0 <= version <= len(self.versions):
            raise StoreError(
                f"The tables of {self.facet} have version {version!r}; {len(self.versions)} is the newest that is known here.",
                hint="They were made by a newer version of pytest-wfreplay: install that one, or use another database. Nothing was changed.",
            )
        return version

    def migrated(self, dialect: Dialect) -> Operation[None]:
        """Bring the tables to the newest version; two who start at once do it once."""
        if (yield from self.checked(dialect)) == len(self.versions):
            return
        yield BEGIN
        yield Query(dialect.spell("CREATE TABLE IF NOT EXISTS {prefix}schema_version (facet {word} NOT NULL PRIMARY KEY, version BIGINT NOT NULL)"))
        version = yield from self.checked(dialect)
        for statement in [statement for statements in self.versions[version:] for statement in statements]:
            yield Query(dialect.spell(statement))
        upsert = "INSERT INTO {prefix}schema_version (facet, version) VALUES (?, ?) ON CONFLICT (facet) DO UPDATE SET version = excluded.version"
        yield Query(dialect.spell(upsert), (self.facet, len(self.versions)))
        yield COMMIT


class Driver(Protocol):
    """One database: does operations, spelled in its dialect. Its errors are of the `StoreError` family.

    `reads` says that an operation writes nothing, so that it can be done beside those that write.
    """

    @property
    def dialect(self) -> Dialect:
        """What operations are to be spelled in."""

    async def perform(self, operation: Operation[T], *, reads: bool = False) -> T:
        """Do it, however long it takes, without keeping the event loop waiting."""

    async def perform_brief(self, operation: Operation[T]) -> T:
        """Do one that takes no longer than handing it to a thread would."""

    async def close(self) -> None:
        """Let go of what is held open; closing twice is harmless."""


class DirectDriver(Driver, Protocol):
    """A driver that can also do an operation at once, in the thread that asks for it."""

    def run(self, operation: Operation[T], *, reads: bool = False) -> T:
        """Do it."""

    def close_now(self) -> None:
        """As `close`."""
