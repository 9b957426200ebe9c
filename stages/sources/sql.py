"""Rows of databases, through SQLAlchemy: of SQLite files, and of PostgreSQL servers, whose rows are kept once read.

Values are texts, numbers and booleans as they are; dates, decimals and the like are texts as the database writes them
(ISO 8601, in UTC); bytes are the text that they mean in UTF-8; JSON and arrays have values at paths.
"""

import json
import math
import os
import re
import sqlite3
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
from pydantic import AfterValidator, Field

from stages.core import fields, inputs, jsonlines, web
from stages.core.faults import Fault, did_you_mean
from stages.core.fetch import verified
from stages.core.fields import Batch
from stages.core.files import alone
from stages.core.hashing import sha256
from stages.core.inputs import File, Part
from stages.core.params import Sha256
from stages.core.records import Chunk, Reject, Unwanted

if TYPE_CHECKING:
    import sqlalchemy

SERVER = "postgresql://"
OTHERS = re.compile(r"(sqlite|postgres|postgresql|mysql|mariadb|mssql|oracle)(\+\w+)?://")
BATCH = 5_000  # rows that are fetched at once
# Of a session: what it writes must not depend on how a server is set, and it may write nothing into it.
SESSION = {
    "default_transaction_read_only": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
}
# What Python knows less of than PostgreSQL: infinite dates, years before Christ, digits after the point.
AS_WRITTEN = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric", "uuid")
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


def without_password(at: str) -> str:
    """A place, if Git may see it."""
    if at.startswith(SERVER):
        parts = urlsplit(at)
        if parts.password is not None or "password" in parse_qs(parts.query):
            raise ValueError("a password would be in Git; take it out: PGPASSWORD or ~/.pgpass may have it")
    elif OTHERS.match(at):
        raise ValueError(
            f"{at.partition('://')[0]}:// is not read; a path to a file of SQLite or {SERVER}USER@HOST/NAME is"
        )
    return web.without_password(at)


class Params(fields.Table):
    """`at` is a file of SQLite, as a path or an address, or `postgresql://USER@HOST/NAME`, whose password is in
    PGPASSWORD or ~/.pgpass. `sha256` is that of the file; of a server, that of the rows.

    `query` is one SELECT; its rows come in the order of the columns `order`, in which no two rows may be alike.
    """

    at: Annotated[str, AfterValidator(without_password)]
    sha256: Sha256
    query: str
    order: Annotated[tuple[str, ...], Field(min_length=1)]


class Rows(NamedTuple):
    """What a server's query gives, or the file that is asked."""

    of: Params

    def fetch(self, cache: Path) -> Path:
        """The pinned file; of a server the pinned rows, which are asked for where nobody has kept them."""
        p = self.of
        if not p.at.startswith(SERVER):
            return settled(file(p).fetch(cache), p.at)
        kept = cache / "files" / p.sha256
        with alone(kept):
            if not kept.exists() and (found := queried(p.at, p.query, p.order, cache)) != p.sha256:
                raise Fault(
                    f"{p.at}: the rows are not the pinned ones: sha256 {found}, pinned {p.sha256}; if the change is "
                    "wanted, pin the new hash in params.yaml; else bring the rows as they were read before, by "
                    "`dvc pull`"
                )
        return verified(kept, p.sha256, f"{kept}: kept rows of {p.at}, delete it to ask for them again")


def file(p: Params) -> File:
    return File(at=p.at, sha256=p.sha256, members=None, constants={})


def settled(path: Path, at: str) -> Path:
    """A file of SQLite, if it is all of the database."""
    for name in ("wal", "journal"):
        beside = path.with_name(f"{path.name}-{name}")
        if beside.is_file() and beside.stat().st_size:
            raise Fault(
                f"{at}: {beside.name} beside it has changes that are not in the file yet; close what writes to it, run "
                f"`sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'`, and pin the new hash"
            )
    return path


def attributes(p: Params) -> pa.DataType:
    return fields.attributes(p)


def needs(p: Params) -> list[Rows]:
    return [Rows(p)]


def parts(p: Params, paths: Sequence[Path]) -> list[Part]:
    """The rows of a server lie in a file of lines."""
    if p.at.startswith(SERVER):
        with paths[0].open("rb") as lines:
            present(json.loads(next(lines, b"{}")), p.columns(), p.at)
    return inputs.parts([file(p)], paths, whole=not p.at.startswith(SERVER))


def read(p: Params, part: Part, paths: Sequence[Path]) -> Iterator[Chunk | Reject | Unwanted]:
    if p.at.startswith(SERVER):
        return fields.chunks(jsonlines.read(file(p), paths[0], part, p.columns()), p, {}, attributes(p))
    return fields.chunks(of_file(p, paths[0]), p, {}, attributes(p))


def of_file(p: Params, path: Path) -> Iterator[Batch]:
    """The wanted columns of a file of SQLite, each row by its number in the order."""
    with opened(lambda: sqlite(path), p.at) as connection:
        found = enumerate(answer(connection, p.query, p.order, p.at, lambda _: " COLLATE BINARY"), start=1)
        while batch := list(islice(found, BATCH)):
            records = [record for _, record in batch]
            present(records[0], p.columns(), p.at)
            columns = {name: fields.reach(records, name) for name in p.columns()}
            yield Batch(columns, [number for number, _ in batch], f"{p.at}: row")


def queried(at: str, query: str, order: Sequence[str], cache: Path) -> str:
    """Asks a server, and keeps the rows in the cache, as JSON lines, by their sha256; gives it."""
    beside = cache / "files" / f".rows.{os.getpid()}.part"
    beside.parent.mkdir(parents=True, exist_ok=True)
    try:
        with opened(lambda: postgresql(at), at) as connection, beside.open("w", encoding="ascii") as out:
            collated = collations(connection)
            for record in answer(connection, query, order, at, collated):
                out.write(json.dumps(record, separators=(",", ":")) + "\n")
        digest = sha256(beside)
        os.replace(beside, beside.with_name(digest))
        return digest
    finally:
        beside.unlink(missing_ok=True)


def sqlite(path: Path) -> "sqlalchemy.Engine":
    """A file, which nobody writes to meanwhile: not even locks and logs are made beside it."""
    from sqlalchemy import NullPool, create_engine

    def connected() -> sqlite3.Connection:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        return connection

    return create_engine("sqlite://", creator=connected, poolclass=NullPool)


def postgresql(at: str) -> "sqlalchemy.Engine":
    """A server, to be read in one transaction that sees one state of it."""
    from sqlalchemy import NullPool, create_engine, make_url

    settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    return create_engine(
        make_url(at).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"options": settings, "client_encoding": "utf8"},
        execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    )


@contextmanager
def opened(engine: "Callable[[], sqlalchemy.Engine]", at: str) -> "Generator[sqlalchemy.Connection]":
    """A connection that can do nothing but read; what the database says against it is a fault."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with engine().connect() as connection:
            harmless(connection.connection.driver_connection)
            yield connection
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        said = " ".join(f"{getattr(error, 'orig', None) or error}".split())
        raise Fault(f"{at}: the database says: {said}; mend `at` or `query` in params.yaml, or the database") from None


def harmless(driver: Any) -> None:
    """Takes from a driver's connection what goes beyond reading, and what it makes of values."""
    if isinstance(driver, sqlite3.Connection):
        driver.execute("PRAGMA trusted_schema = OFF")
        driver.set_authorizer(lambda code, *_: sqlite3.SQLITE_OK if code in ALLOWED else sqlite3.SQLITE_DENY)
    else:
        from psycopg.types.string import TextLoader

        for name in AS_WRITTEN:
            driver.adapters.register_loader(name, TextLoader)


def collations(connection: "sqlalchemy.Connection") -> Callable[[Any], str]:
    """What must stand behind a column of a type for it to be ordered by its characters, as no locale is."""
    found = connection.exec_driver_sql("SELECT oid::int FROM pg_type WHERE typcollation <> 0").scalars().all()
    return lambda kind: ' COLLATE "C"' if kind in found else ""


def answer(
    connection: "sqlalchemy.Connection",
    query: str,
    order: Sequence[str],
    at: str,
    collated: Callable[[Any], str],
) -> Iterator[dict[str, Any]]:
    """The rows of a query in their order."""
    # No further parameters, lest a `%` or a `:` of the query be taken for one.
    settings = {"no_parameters": True, "stream_results": True, "yield_per": BATCH, "sqlite_raw_colnames": True}
    asked = f"SELECT * FROM (\n{query.rstrip().removesuffix(';')}\n) AS rows_"  # noqa: S608 - it is the user's
    with connection.exec_driver_sql(f"{asked} LIMIT 0", execution_options=settings) as found:
        kinds = columns(list(found.keys()), described(found), order, at)
    quoted = connection.dialect.identifier_preparer.quote_identifier
    keys = ", ".join(f"rows_.{quoted(name)}{collated(kinds[name])}" for name in order)
    last: list[Any] = []
    with connection.exec_driver_sql(f"{asked} ORDER BY {keys}", execution_options=settings) as found:
        for number, row in enumerate(found, start=1):
            record = dict(zip(kinds, map(plain, row), strict=True))
            key = [record[name] for name in order]
            if key == last or None in key:
                raise Fault(f"{at}: row {number}: {unsure(key, ', '.join(order))}")
            last = key
            yield record


def described(found: "sqlalchemy.CursorResult[Any]") -> list[Any]:
    """The type of each column, in the driver's terms."""
    cursor = found.cursor
    return [one[1] for one in (cursor.description if cursor else None) or ()]


def columns(names: Sequence[str], kinds: Sequence[Any], order: Sequence[str], at: str) -> dict[str, Any]:
    """Name → type of each column, the ordering ones among them."""
    for name in names:
        if names.count(name) > 1:
            raise Fault(f"{at}: {names.count(name)} columns are named {name!r}; rename all but one by AS in `query`")
    for name in order:
        if name not in names:
            raise Fault(
                f"{at}: no column {name!r} to order by; there is: {', '.join(names)}; correct `order` in params.yaml"
                f"{did_you_mean(name, names)}"
            )
    return dict(zip(names, kinds, strict=True))


def present(names: Collection[str], wanted: Sequence[str], at: str) -> None:
    """Whether each of the wanted columns is there, in a database that has any rows."""
    for path in wanted:
        if names and not any(f"{path}.".startswith(f"{name}.") for name in names):
            raise Fault(
                f"{at}: no column {path!r}; there is: {', '.join(names)}; correct `fields` or `query` in params.yaml"
                f"{did_you_mean(path, names)}"
            )


def unsure(key: Sequence[Any], names: str) -> str:
    """Why the place of a row is not sure: its key is none, or that of the row before."""
    if None in key:
        return f"NULL in {names}: where it would stand is not sure; leave such rows out of `query`"
    told = ", ".join(map(repr, key))
    return f"{names} are as in the row before, {told}: which comes first is not sure; name further columns in `order`"


def plain(value: Any) -> Any:
    """A value as JSON may have it."""
    match value:
        case None | bool() | str() | int() | float() if numeral(value):
            return value
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case list():
            return [plain(one) for one in value]
        case dict():
            return {f"{key}": plain(one) for key, one in value.items()}
        case _:
            return f"{value}"


def numeral(value: str | float | None) -> bool:
    """Whether all that read JSON agree on what it is, if it is a number."""
    match value:
        case float():
            return math.isfinite(value)
        case int():
            return -(2**63) <= value < 2**64
        case _:
            return True
