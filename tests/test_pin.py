"""`reprolm pin` writes into params.yaml what its sources are now, and shows it."""

import argparse
import hashlib
import io
import re
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stages.commands import pin
from stages.commands._edit import Written, edited
from stages.commands.pins.files import places
from stages.core import fetch, web
from stages.core.faults import Fault
from stages.core.inputs import folder_sha256
from stages.shell.params import check, read
from tests.conftest import ROOT

ROWS = "id,queue,body\n1,pay,I paid twice\n2,log in,forgot it\n3,pay\n"
SHA256 = hashlib.sha256(ROWS.encode()).hexdigest()
FIELDS = "labels: null, pair: null, targets: null, spans: null, key: id, group: null, split: null, attributes: []"
SOURCE = f"""\
- name: tickets  # mine
  kind: csv
  licence: CC0-1.0
  quota: null
  rejects: 0.5
  files:
    - {{at: tickets.csv, sha256: null, members: null, constants: {{}}}}  # the first batch
  dialect: {{encoding: utf-8, delimiter: ",", quote: '"', escape: null, header: true}}
  fields: {{text: body, label: queue, {FIELDS}}}
  separator: null
  rename: {{}}
  sides: {{}}
  where: {{}}
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIRST = ("ingest", "sources", 0)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own params.yaml, with a table as its source that has no pin yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REPROLM_MIRRORS", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "tickets.csv").write_text(ROWS)
    (tmp_path / "params.yaml").write_text(with_source(SOURCE))
    return tmp_path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a folder `site` in the project."""
    (tmp_path / "site").mkdir()
    handler = partial(Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def with_source(source: str) -> str:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    return edited(text, {("ingest", "sources"): Written(source)})


def pinned(*words: str) -> int:
    parser = argparse.ArgumentParser()
    pin.arguments(parser)
    return pin.main(parser.parse_args(words))


def set_at(project: Path, at: str, **further: Any) -> None:
    path = project / "params.yaml"
    changes = {(*FIRST, "files", 0, key): value for key, value in {"at": at, **further}.items()}
    path.write_text(edited(path.read_text(), changes))


def pin_of(project: Path) -> str | None:
    return read(project / "params.yaml")["ingest"]["sources"][0]["files"][0]["sha256"]


def test_what_has_no_pin_is_refused_and_pin_is_the_remedy(project: Path):
    told = "not pinned yet; `reprolm pin` fetches it, shows what came and writes it here"
    assert check(read(project / "params.yaml")).faults == [f"ingest.sources[0].files[0].sha256: {told}"]
    assert pinned() == 0
    assert check(read(project / "params.yaml")).faults == []


def test_it_writes_the_sha256_and_nothing_else(project: Path, capsys: pytest.CaptureFixture[str]):
    before = (project / "params.yaml").read_text()
    assert pinned("tickets") == 0
    assert (project / "params.yaml").read_text() == before.replace(" sha256: null", f" sha256: {SHA256}")
    assert capsys.readouterr().out.splitlines() == [
        "tickets:",
        f"  files[0].sha256: none → {SHA256[:12]}…",
        "  written to params.yaml",
        f"  {len(ROWS)} bytes, licence CC0-1.0",
        "  2 rows",
        "  1 rejected: 2 fields, the header has 3",
        "  labels pay 1, log in 1",
        "  > I paid twice",
        "  > forgot it",
    ]


def test_a_benchmark_is_pinned_as_a_source_is(project: Path, capsys: pytest.CaptureFixture[str]):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(edited(text, {("benchmarks", "sources"): Written(SOURCE)}))
    assert pinned() == 0
    assert read(project / "params.yaml")["benchmarks"]["sources"][0]["files"][0]["sha256"] == SHA256
    assert "  2 rows\n" in capsys.readouterr().out


def test_a_dry_run_shows_and_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]):
    before = (project / "params.yaml").read_bytes()
    assert pinned("--dry-run") == 0
    assert f"none → {SHA256[:12]}…" in capsys.readouterr().out
    assert (project / "params.yaml").read_bytes() == before


def test_a_file_that_changed_is_pinned_anew_without_being_named(project: Path, capsys: pytest.CaptureFixture[str]):
    pinned()
    (project / "tickets.csv").write_text(ROWS + "4,pay,once more\n")
    (project / "data/ingest").mkdir(parents=True)
    (project / "data/ingest/sources.json").write_text('[{"name": "tickets", "documents": 2}]')
    capsys.readouterr()
    assert pinned() == 0
    told = capsys.readouterr().out
    assert f"files[0].sha256: {SHA256[:12]}… → {str(pin_of(project))[:12]}…" in told
    assert "  3 rows, 2 documents in the last build\n" in told


def test_where_nothing_is_to_do_it_says_so(project: Path, capsys: pytest.CaptureFixture[str]):
    pinned()
    capsys.readouterr()
    assert pinned() == 0
    assert capsys.readouterr().out == "params.yaml: nothing to do; pinned are tickets, weights\n"


def test_a_folder_is_pinned_by_all_its_files(project: Path):
    (project / "many").mkdir()
    shutil.move(project / "tickets.csv", project / "many/a.csv")
    set_at(project, "many", members="*.csv")
    pinned()
    assert pin_of(project) == folder_sha256(project / "many")


def test_an_archive_shows_what_is_in_it(project: Path, capsys: pytest.CaptureFixture[str]):
    import tarfile

    with tarfile.open(project / "all.tar", "w") as archive:
        archive.add(project / "tickets.csv", "a.csv")
    set_at(project, "all.tar", members="*.csv")
    pinned()
    assert "  2 rows\n" in capsys.readouterr().out


def test_an_address_is_asked_once_and_read_from_the_cache(project: Path, site: str):
    shutil.move(project / "tickets.csv", project / "site/tickets.csv")
    set_at(project, f"{site}/tickets.csv")
    pinned()
    assert pin_of(project) == SHA256
    assert [path.name for path in (project / ".dvc/cache/reprolm/files").iterdir() if path.suffix != ".lock"] == [
        SHA256
    ]
    (project / "site/tickets.csv").write_text("another")
    assert web.fetched(f"{site}/tickets.csv", SHA256, project / ".dvc/cache/reprolm").read_text() == ROWS


def test_an_address_that_has_a_pin_is_asked_again_only_by_name(project: Path, site: str):
    (project / "site/tickets.csv").write_text(ROWS)
    set_at(project, f"{site}/tickets.csv")
    pinned()
    (project / "site/tickets.csv").write_text(ROWS + "4,pay,once more\n")
    pinned()
    assert pin_of(project) == SHA256
    pinned("tickets")
    assert pin_of(project) not in (None, SHA256)


def test_a_mirror_stands_in(project: Path, monkeypatch: pytest.MonkeyPatch):
    set_at(project, "https://example.org/tickets.csv")
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://example.org/ {project}/")
    pinned()
    assert pin_of(project) == SHA256


def test_pins_are_found_wherever_they_stand():
    file, wheel = {"at": "a", "sha256": None}, {"name": "numpy", "sha256": None}
    sets = {"kind": "parallel", "sets": ({"en": file, "de": file},), "of": ({"at": None, "sha256": None}, wheel)}
    assert [steps for steps, _ in places(sets)] == [("sets", 0, "en"), ("sets", 0, "de")]


def test_what_is_wrong_elsewhere_does_not_matter(project: Path):
    path = project / "params.yaml"
    path.write_text(edited(path.read_text(), {("dedup",): {"bands": "many"}, ("wrong",): 1}))
    pinned()
    assert pin_of(project) == SHA256


def test_one_that_cannot_be_had_keeps_no_other_back(project: Path, site: str):
    path = project / "params.yaml"
    second = Written(SOURCE.replace("tickets", "others").replace("others.csv", f'"{site}/nothing"'))
    path.write_text(edited(path.read_text(), {("ingest", "sources"): Written(second + SOURCE)}))
    with pytest.raises(Fault, match=rf"^others: {site}/nothing: the server answers 404 File not found; name another"):
        pinned()
    assert read(path)["ingest"]["sources"][1]["files"][0]["sha256"] == SHA256


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"at": "nothing.csv"}, "tickets: nothing.csv: no such file; correct `at` in params.yaml"),
        ({"at": "tickets.csv", "members": "*.tsv"}, "tickets: tickets.csv: `members` is given, but it is no archive"),
        ({"at": "tickets.csv", "member": 1}, "tickets: it can't be read yet; params.yaml: 1 to mend:\n  ingest.sour"),
    ],
)
def test_what_can_be_mended_is_told(project: Path, change: dict[str, Any], told: str):
    set_at(project, **change)
    with pytest.raises(Fault, match=f"^{re.escape(told)}"):
        pinned()


@pytest.mark.parametrize(
    "source", ["3", "[3, {name: 3}, {name: a, kind: none}]", "[{name: a, kind: wheels, wheels: 3}]"]
)
def test_what_is_no_source_at_all_is_left_to_check(project: Path, source: str, capsys: pytest.CaptureFixture[str]):
    text = (project / "params.yaml").read_text()
    text = edited(text, {("ingest", "sources"): Written(source)})
    (project / "params.yaml").write_text(edited(text, {("weights",): {"files": {"a": None}, "places": [3]}}))
    with pytest.raises(Fault, match=r"^weights: weights.files: no place has a; add one to weights.places. Tried:$"):
        pinned()


def test_a_name_that_nobody_has(project: Path):
    told = "params.yaml: nothing called 'tikets' has pins; there is: tickets, weights; did you mean tickets?"
    with pytest.raises(Fault, match=f"^{re.escape(told)}$"):
        pinned("tikets")


def test_an_edit_meanwhile_is_not_overwritten(project: Path):
    with pytest.raises(Fault, match=r"params.yaml: it was edited while this was fetched; run `reprolm pin` again"):
        pin.write(b"as it was", "as it shall be")
    assert pin_of(project) is None


def test_a_crawl_is_not_tried(project: Path):
    with pytest.raises(Fault, match="a crawl can't be tried without being kept; leave --dry-run away"):
        pinned("scrape", "--dry-run")


def test_weights_are_pinned_file_by_file(project: Path, capsys: pytest.CaptureFixture[str]):
    path = project / "params.yaml"
    (project / "model").mkdir()
    (project / "model/config.json").write_text("{}")
    weights = {
        "files": {"config.json": None},
        "places": [{"kind": "folder", "at": "nowhere"}, {"kind": "folder", "at": "model"}],
    }
    path.write_text(edited(path.read_text(), {("weights",): weights}))
    assert "weights.files.config.json: not pinned yet" in "".join(check(read(path)).faults)
    pinned("weights")
    digest = hashlib.sha256(b"{}").hexdigest()
    assert read(path)["weights"]["files"]["config.json"] == digest
    assert (project / ".dvc/cache/reprolm/weights" / digest).read_text() == "{}"
    (project / "model/config.json").unlink()
    with pytest.raises(Fault, match=r"weights.files: no place has config.json; add one to weights.places. Tried:\n"):
        pinned("weights")


WHEELS = """\
- name: docs
  kind: wheels
  licence: null
  quota: null
  rejects: 0.01
  wheels:
    - {name: reprolm-made-for-tests, version: null, sha256: null}  # the newest
  platforms: [any]
  skip: []
  text: summary
  labels: {}
"""


def wheel(folder: Path, version: str) -> bytes:
    """A distribution with one docstring."""
    made = io.BytesIO()
    info = f"reprolm_made_for_tests-{version}.dist-info"
    with closing(zipfile.ZipFile(made, "w")) as archive:
        archive.writestr("made/__init__.py", '"""Made for tests."""\n')
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: reprolm-made-for-tests\nVersion: {version}\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    path = folder / f"reprolm_made_for_tests-{version}-py3-none-any.whl"
    path.write_bytes(made.getvalue())
    return made.getvalue()


def test_the_newest_wheel_is_pinned_with_its_version(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(project))
    wheel(project, "1.0")
    digest = hashlib.sha256(wheel(project, "2.0")).hexdigest()
    (project / "params.yaml").write_text(with_source(WHEELS))
    pinned()
    assert f"version: 2.0, sha256: {digest}}}  # the newest" in (project / "params.yaml").read_text().replace('"', "")
    assert "  1 rows\n  > Made for tests." in capsys.readouterr().out
    assert fetch.wheel("reprolm-made-for-tests", "2.0", digest, ["any"], project / ".dvc/cache/reprolm").exists()


def test_whoever_names_no_wheel_is_told(tmp_path: Path):
    with pytest.raises(Fault, match="wheel --help: a name and a version are wanted"):
        fetch.download("--help", None, ["any"], tmp_path)


HUB = (
    SOURCE.replace("csv", "hub").partition("  files:")[0]
    + """\
  dataset: ann/texts
  revision: null  # main, on the day
  config: default
  files: []
  classes: {}
  fields: {text: body, label: queue, FIELDS}
  separator: null
  rename: {}
  sides: {}
  where: {}
""".replace("FIELDS", FIELDS)
)


def test_a_dataset_of_the_hub_is_pinned_with_all_that_makes_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("datasets")
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")  # as it was, afterwards
    folder = project / "hub/datasets/ann/texts/resolve" / COMMIT
    folder.mkdir(parents=True)
    shutil.move(project / "tickets.csv", folder / "train.csv")
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://huggingface.co/ {project}/hub/")
    path = project / "params.yaml"
    path.write_text(with_source(HUB.replace("revision: null", f"revision: {COMMIT}")))
    pinned()
    assert f"""
      revision: {COMMIT}  # main, on the day
      config: default
      files:
        - {{at: train.csv, sha256: {SHA256}, members: null, constants: {{split: train}}}}
""" in path.read_text()
    assert "  2 rows\n" in capsys.readouterr().out
    assert pinned() == 0
    assert capsys.readouterr().out == "params.yaml: nothing to do; pinned are tickets, weights\n"


SQL = (
    SOURCE.replace("csv", "sql").partition("  files:")[0]
    + """\
  at: tickets.db
  sha256: null
  query: SELECT * FROM tickets
  order: [id]
  fields: {text: body, label: queue, FIELDS}
  separator: null
  rename: {}
  sides: {}
  where: {}
""".replace("FIELDS", FIELDS)
)


def test_a_file_of_sqlite_is_pinned_as_a_file(project: Path, capsys: pytest.CaptureFixture[str]):
    with closing(sqlite3.connect(project / "tickets.db")) as connection:
        connection.executescript(
            "CREATE TABLE tickets (id, queue, body); INSERT INTO tickets VALUES (1, 'pay', 'twice')"
        )
    (project / "params.yaml").write_text(with_source(SQL))
    pinned()
    digest = hashlib.sha256((project / "tickets.db").read_bytes()).hexdigest()
    assert read(project / "params.yaml")["ingest"]["sources"][0]["sha256"] == digest
    assert "  1 rows\n  labels pay 1\n  > twice\n" in capsys.readouterr().out


def test_a_server_that_nobody_answers_is_told(project: Path):
    (project / "params.yaml").write_text(with_source(SQL.replace("tickets.db", '"postgresql://ann@127.0.0.1:1/x"')))
    with pytest.raises(
        Fault, match=r"^tickets: postgresql://ann@127\.0\.0\.1:1/x: the database says: .*Connection refused"
    ):
        pinned()


def test_crawls_are_for_the_crawler(project: Path):
    pinned()
    with pytest.raises(Fault, match=r"^scrape.crawls: nothing to capture"):
        pinned("scrape")


def test_a_capture_is_pinned_in_its_crawl(project: Path):
    set_at(project, "data/scrape/site.warc.gz", sha256="scrape")
    assert pinned() == 0
    assert pin_of(project) == "scrape"
