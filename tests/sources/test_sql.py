"""Rows of databases: of SQLite files, and of a PostgreSQL server that is started here."""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core import inputs
from stages.core.faults import Fault
from stages.core.records import Reject, Row, Unwanted
from stages.sources import sql
from tests.sources.tables import FIELDS, TABLE, items, parameters, row

CASES = YAML(typ="safe").load(Path(__file__).parent.parent / "cases/sources/sql.yaml")


def made(path: Path, script: str) -> Path:
    """A file of SQLite, as a script makes it."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path


def source(at: Path | str, digest: str | None = None, **settings: Any) -> sql.Params:
    """The parameters of a database: all rows of `t`, unless it is said."""
    settings["fields"] = FIELDS | settings.get("fields", {})
    pin = digest or sha256(Path(at).read_bytes()).hexdigest()
    asked = {"at": str(at), "sha256": pin, "query": "SELECT * FROM t", "order": ["id"]}
    return parameters("sql", **TABLE | asked | settings)


def texts(p: sql.Params, cache: Path) -> list[str]:
    return [one.text for one in items("sql", p, cache) if isinstance(one, Row)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["comment"])
def test_rows_and_rejects(tmp_path: Path, case: dict[str, Any]):
    settings = {
        key: one for key, one in case.items() if key not in {"comment", "script", "rows", "rejects", "unwanted"}
    }
    path = made(tmp_path / "a database.db", case["script"])
    found = list(items("sql", source(path, **settings), tmp_path / "cache"))
    assert [one for one in found if isinstance(one, Row)] == [row(told) for told in case["rows"]]
    told = {one.place: one.reason for one in found if isinstance(one, Reject)}
    assert told == {f"{path}: row:{n}": reason for n, reason in case.get("rejects", {}).items()}
    assert sum(one.rows for one in found if isinstance(one, Unwanted)) == case.get("unwanted", 0)


TABLE_T = "CREATE TABLE t (id, text); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
FAULTS: list[Any] = [
    (
        {"order": ["text", "ids"]},
        "no column 'ids' to order by; there is: id, text; correct `order` in params.yaml; did",
    ),
    ({"fields": {"label": "labels"}}, "no column 'labels'; there is: id, text; correct `fields` or `query` in params"),
    (
        {"query": "SELECT 1 AS id, text FROM t"},
        "row 2: id are as in the row before, 1: which comes first is not sure; ",
    ),
    (
        {"query": "SELECT NULL AS id, text FROM t"},
        "row 1: NULL in id: where it would stand is not sure; leave such row",
    ),
    ({"query": "SELECT * FROM u"}, "the database says: no such table: u; mend `at` or `query` in params.yaml, or the "),
    ({"query": "DELETE FROM t RETURNING *"}, 'the database says: near "DELETE": syntax error; mend'),
    (
        {"query": "SELECT 1 AS id); DROP TABLE t; SELECT (1"},
        "the database says: You can only execute one statement at ",
    ),
    ({"query": "SELECT id, load_extension('x') AS text FROM t"}, "the database says: not authorized; mend"),
    ({"query": "SELECT 1 AS id, file AS text FROM pragma_database_list"}, "the database says: not authorized; mend"),
]


@pytest.mark.parametrize(("settings", "message"), FAULTS)
def test_what_a_user_can_mend(tmp_path: Path, settings: dict[str, Any], message: str):
    path = made(tmp_path / "a.db", TABLE_T)
    before = path.read_bytes()
    with pytest.raises(Fault) as told:
        texts(source(path, **settings), tmp_path)
    assert str(told.value).startswith(f"{path}: {message}")
    assert path.read_bytes() == before


def test_a_file_that_is_no_database(tmp_path: Path):
    (path := tmp_path / "a.db").write_bytes(b"text\none\n" * 100)
    with pytest.raises(Fault, match=r"a\.db: the database says: file is not a database; mend `at` or `query`"):
        texts(source(path), tmp_path)


@given(data=st.data())
def test_damaged_files_are_rows_rejects_or_a_fault(data: st.DataObject):
    with tempfile.TemporaryDirectory() as folder:
        path = made(Path(folder) / "a.db", TABLE_T)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with suppress(Fault):
            assert all(isinstance(one, Row | Reject | Unwanted) for one in items("sql", source(path), Path(folder)))
        assert os.listdir(folder) == ["a.db"]


def test_another_file_is_not_read(tmp_path: Path):
    p = source(made(tmp_path / "a.db", TABLE_T))
    made(tmp_path / "a.db", f"{TABLE_T}, (3, 'c')")
    with pytest.raises(Fault, match=r"a\.db: the bytes are not the pinned ones: sha256 \w{64}, pinned \w{64}; if the"):
        texts(p, tmp_path)


def test_changes_that_are_not_in_the_file_yet(tmp_path: Path):
    path = made(tmp_path / "a.db", f"PRAGMA journal_mode = wal; {TABLE_T}")
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO t VALUES (3, 'c')")
    writer.commit()
    with pytest.raises(Fault, match=r"a\.db: a\.db-wal beside it has changes .* 'PRAGMA wal_checkpoint\(TRUNCATE\)'`"):
        texts(source(path), tmp_path)
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert texts(source(path), tmp_path) == ["a", "b", "c"]
    writer.close()


def test_a_file_that_nobody_may_write_stays_as_it_is(tmp_path: Path):
    path = made(tmp_path / "a.db", TABLE_T)
    path.chmod(0o400)
    assert texts(source(path), tmp_path / "cache") == ["a", "b"]
    assert list(tmp_path.iterdir()) == [path]


def test_few_rows_at_once_are_as_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    values = ", ".join(f"({n}, 'text {n}')" for n in range(100, 0, -1))
    p = source(made(tmp_path / "a.db", f"CREATE TABLE t (id, text); INSERT INTO t VALUES {values}"))  # noqa: S608
    monkeypatch.setattr(sql, "BATCH", 7)
    assert texts(p, tmp_path) == [f"text {n}" for n in range(1, 101)]


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (
            "postgresql://ada:secret@db/shop",
            "a password would be in Git; take it out: PGPASSWORD or ~/.pgpass may have",
        ),
        ("postgresql://ada@db/shop?password=secret", "a password would be in Git"),
        ("mysql://ada@db/shop", "mysql:// is not read; a path to a file of SQLite or postgresql://USER@HOST/NAME"),
        ("sqlite:///shop.db", "sqlite:// is not read; a path to a file of SQLite or postgresql://USER@HOST/NAME is"),
        ("postgresql+asyncpg://db/shop", "postgresql+asyncpg:// is not read; a path to a file of SQLite or"),
    ],
)
def test_places_that_params_may_not_have(at: str, message: str):
    with pytest.raises(ValidationError) as told:
        source(at, "0" * 64)
    assert told.value.errors()[0]["msg"].startswith(f"Value error, {message}")


any_value = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()


@given(st.lists(st.tuples(any_value, any_value)))
def test_any_values_are_rows_or_rejects_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[Any, Any]]
):
    path = made(tmp_path_factory.getbasetemp() / "any.db", "CREATE TABLE t (id, text, label)")
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(n, *one) for n, one in enumerate(found)][::-1])
    connection.commit()
    connection.close()
    p = source(path, fields={"label": "label", "key": "id"})
    rows = list(items("sql", p, path.parent))
    keys = [int(one.key or "") for one in rows if isinstance(one, Row)]
    places = [int(one.place.rpartition(":")[2]) - 1 for one in rows if isinstance(one, Reject)]
    assert keys == sorted(keys)
    assert sorted(keys + places) == [*range(len(found))]


class Server(NamedTuple):
    """A server of this test: its address, and a way to tell it something as its owner."""

    at: str
    folder: Path

    def tell(self, script: str) -> None:
        """Runs statements."""
        psycopg = pytest.importorskip("psycopg")
        with psycopg.connect(self.at.replace("reader@", "owner@"), password="of owner", autocommit=True) as connection:
            connection.execute(script)

    def pin(self, cache: Path, query: str = "SELECT * FROM t", order: tuple[str, ...] = ("id",)) -> str:
        """What `sha256` must be; nothing is kept."""
        digest = sql.queried(self.at, query, order, cache)
        (cache / "files" / digest).unlink()
        return digest


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, as Debian's package has it."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), *(Path(one).parent for one in [shutil.which("initdb")] if one)]
    return next((one for one in found if (one / "postgres").exists()), None)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """PostgreSQL, in a folder of its own and behind a socket in it; by another user, as it refuses to run as root."""
    if (binaries := programs()) is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    # pytest's own folders are for one user alone, and too deep for a socket.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    other: dict[str, Any] = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if other:
        shutil.chown(folder, "nobody", "nogroup")
    quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT} | other
    (folder / "password").write_text("of owner")
    (folder / "password").chmod(0o644)
    settings = ["--username=owner", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--locale=C.UTF-8", "-N"]
    subprocess.run([binaries / "initdb", "-D", folder / "data", *settings], check=True, **quiet)
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c timezone=Asia/Tokyo -c datestyle=German"
    control = [binaries / "pg_ctl", "-D", folder / "data", "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, **quiet)
    try:
        started = Server(f"postgresql://reader@/postgres?host={folder}", folder)
        started.tell("CREATE ROLE reader LOGIN PASSWORD 'of reader'; GRANT pg_read_all_data TO reader")
        yield started
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "of reader")


def table(server: Server, values: str, columns: str = "id int, text text") -> None:
    server.tell(f"DROP TABLE IF EXISTS t; CREATE TABLE t ({columns}); INSERT INTO t VALUES {values}")  # noqa: S608


def test_rows_of_a_server_are_kept(server: Server, tmp_path: Path):
    """Once read they come from the cache: what the server says later is of no account."""
    table(server, "(2, 'b'), (1, 'a')")
    p = source(server.at, server.pin(tmp_path), fields={"key": "id"})
    assert texts(p, tmp_path) == ["a", "b"]
    kept = tmp_path / "files" / p.sha256
    assert kept.read_text() == '{"id":1,"text":"a"}\n{"id":2,"text":"b"}\n'
    server.tell("DROP TABLE t")
    assert texts(p, tmp_path) == ["a", "b"]
    kept.write_text("")
    with pytest.raises(
        Fault, match=r"kept rows of postgresql://reader@/.*, delete it to ask for them again: the bytes"
    ):
        texts(p, tmp_path)


def test_rows_that_are_not_the_pinned_ones(server: Server, tmp_path: Path):
    table(server, "(1, 'a')")
    p = source(server.at, server.pin(tmp_path))
    server.tell("UPDATE t SET text = 'b'")
    with pytest.raises(Fault) as told:
        texts(p, tmp_path)
    changed = server.pin(tmp_path)
    assert str(told.value) == (
        f"{server.at}: the rows are not the pinned ones: sha256 {changed}, pinned {p.sha256}; if the change is wanted, "
        "pin the new hash in params.yaml; else bring the rows as they were read before, by `dvc pull`"
    )


VALUES: list[Any] = [
    ("int8", "9223372036854775807", "9223372036854775807"),
    ("float8", "0.1", "0.1"),
    ("float8", "'NaN'", "nan"),
    ("numeric", "1.50", "1.50"),
    ("numeric", "12345678901234567890.123", "12345678901234567890.123"),
    ("bool", "true", "true"),
    ("date", "'1843-01-02'", "1843-01-02"),
    ("date", "'infinity'", "infinity"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    ("timestamp", "'2024-01-02 03:04:05.5'", "2024-01-02 03:04:05.5"),
    ("timestamptz", "'2024-01-02 03:04:05+05'", "2024-01-01 22:04:05+00"),
    ("time", "'03:04'", "03:04:00"),
    ("interval", "'1 day 2 hours'", "P1DT2H"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("bytea", r"'\x636166c3a9'", "café"),
    ("jsonb", """'{"b": [1, "é"], "a": null}'""", '{"a": null, "b": [1, "é"]}'),
    ("text[]", "'{a,NULL,\"c d\"}'", '["a", null, "c d"]'),
    ("inet", "'10.0.0.1'", "10.0.0.1"),
    ("int4range", "'[1,3)'", "[1, 3)"),
    ("text", "NULL", None),
    ("varchar(9)", "'Noël'", "Noël"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), VALUES)
def test_values_of_a_server_as_text(server: Server, tmp_path: Path, kind: str, value: str, expected: str | None):
    """Whatever time zone and style of dates it is set to."""
    table(server, f"(1, 'a', {value})", f"id int, text text, x {kind}")
    p = source(server.at, server.pin(tmp_path), fields={"attributes": ["x"]})
    (found, _) = items("sql", p, tmp_path)
    assert isinstance(found, Row)
    assert found.attributes == {"x": expected}


def test_nested_values_by_path(server: Server, tmp_path: Path):
    values = """(1, '{"a": {"text": "one"}}', '{x,y}'), (2, '{"a": {}}', '{}')"""
    table(server, values, "id int, of jsonb, tags text[]")
    p = source(server.at, server.pin(tmp_path), fields={"text": "of.a.text", "labels": "tags"})
    assert list(items("sql", p, tmp_path)) == [
        row({"text": "one", "labels": ["x", "y"]}),
        Reject(f"{server.at}:2", "no text in 'of.a.text'"),
        Unwanted(0),
    ]


def test_bytes_that_are_no_text_cost_their_row_alone(server: Server, tmp_path: Path):
    table(server, r"(1, '\xff'), (2, 'b')", "id int, text bytea")
    found = list(items("sql", source(server.at, server.pin(tmp_path)), tmp_path))
    assert [one.text for one in found if isinstance(one, Row)] == ["b"]
    assert [one.place for one in found if isinstance(one, Reject)] == [f"{server.at}:1"]


def test_the_order_of_texts_is_no_locales(server: Server, tmp_path: Path):
    table(server, "('b', '3'), ('B', '1'), ('a', '2'), ('é', '4')", 'id text COLLATE "en-x-icu", text text')
    assert texts(source(server.at, server.pin(tmp_path)), tmp_path) == ["1", "2", "3", "4"]


def test_many_rows_in_parts(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server.tell(
        "DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT n AS id, 'text ' || n AS text FROM generate_series(1, 900) n"
    )
    monkeypatch.setattr(sql, "BATCH", 100)
    monkeypatch.setattr(inputs, "PART", 5_000)
    p = source(server.at, server.pin(tmp_path))
    assert texts(p, tmp_path) == [f"text {n}" for n in range(1, 901)]
    assert len(sql.parts(p, [tmp_path / "files" / p.sha256])) > 3


REFUSED: list[Any] = [
    ("SELECT id AS id FROM nowhere", 'the database says: relation "nowhere" does not exist '),
    ("SELECT 1 AS id; DROP TABLE t", 'the database says: syntax error at or near ";" '),
    ("SELECT 1 AS id) x; COMMIT; DELETE FROM t; SELECT (1", "the database says: "),
    ("DELETE FROM t RETURNING *", 'the database says: syntax error at or near "FROM" '),
    (
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "the database says: WITH clause containing a data-",
    ),
    ("SELECT nextval('s') AS id", "the database says: cannot execute nextval() in a read-only transaction; mend `at` "),
    ("SELECT 1 AS id, 2 AS x, 3 AS x", "2 columns are named 'x'; rename all but one by AS in `query`"),
    ("SELECT 1 AS no", "no column 'id' to order by; there is: no; correct `order` in params.yaml"),
    (
        "SELECT id FROM (VALUES (1), (1)) t (id)",
        "row 2: id are as in the row before, 1: which comes first is not sure;",
    ),
    ("SELECT id FROM (VALUES (1), (NULL)) t (id)", "row 2: NULL in id: where it would stand is not sure; leave such"),
]


@pytest.mark.parametrize(("query", "message"), REFUSED)
def test_queries_that_are_not_run(server: Server, tmp_path: Path, query: str, message: str):
    server.tell("CREATE SEQUENCE IF NOT EXISTS s; GRANT ALL ON s TO reader")
    table(server, "(1, 'a')")
    server.tell("GRANT ALL ON t TO reader")
    with pytest.raises(Fault) as told:
        sql.queried(server.at, query, ("id",), tmp_path)
    assert str(told.value).startswith(f"{server.at}: {message}")
    assert texts(source(server.at, server.pin(tmp_path)), tmp_path) == ["a"]
    assert [one for one in (tmp_path / "files").iterdir() if one.suffix == ".part"] == []


def test_a_column_that_the_rows_lack(server: Server, tmp_path: Path):
    table(server, "(1, 'a')")
    with pytest.raises(Fault, match=r"no column 'texts'; there is: id, text; .* did you mean text\?"):
        texts(source(server.at, server.pin(tmp_path), fields={"text": "texts"}), tmp_path)


def test_a_wrong_password_is_told_without_it(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGPASSWORD", "quite wrong")
    with pytest.raises(Fault, match="password authentication failed for user") as told:
        texts(source(server.at, "0" * 64), tmp_path)
    assert "quite wrong" not in str(told.value)


def test_no_server(tmp_path: Path):
    with pytest.raises(Fault, match=r"the database says: connection is bad: .*; mend `at` or `query` in params\.yaml"):
        texts(source(f"postgresql://ada@/shop?host={tmp_path}", "0" * 64), tmp_path)


@given(found=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))))
def test_what_is_in_a_server_comes_back(server: Server, tmp_path_factory: pytest.TempPathFactory, found: list[str]):
    cache = tmp_path_factory.getbasetemp()
    wanted = json.dumps(found).replace("'", "''")
    query = f"SELECT n AS id, v AS text FROM json_array_elements_text('{wanted}') WITH ORDINALITY AS o (v, n)"  # noqa: S608
    p = source(server.at, server.pin(cache, query), query=query)
    assert texts(p, cache) == found
