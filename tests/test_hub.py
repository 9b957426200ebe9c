"""What `reprolm pin` writes of a dataset: from a small server that speaks as the Hub does, and from a folder."""

import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.commands._hub import pinned
from stages.core.faults import Fault
from stages.core.records import Row
from tests.sources.tables import FIELDS, TABLE, items, parameters

datasets = pytest.importorskip("datasets")
COMMIT, CONVERTED = "0123456789abcdef0123456789abcdef01234567", "f" * 40
LABEL = datasets.ClassLabel(names=["neg", "pos"])
CARD = """---
configs:
- config_name: plain
  default: true
  data_files:
  - {split: train, path: "data/train-*"}
  - {split: validation_matched, path: data/dev.parquet}
- config_name: lines
  data_files: lines/*.jsonl
- config_name: pictures
  data_files: pictures/*.parquet.png
dataset_info:
  config_name: lines
  features:
  - {name: text, dtype: string}
  - {name: mood, dtype: {class_label: {names: {"0": bad, "1": good}}}}
---
Texts.
"""


def card(data_files: str, **options: str) -> str:
    """A card with one configuration."""
    told = "".join(f"\n  {name}: {value}" for name, value in options.items())
    return f"---\nconfigs:\n- config_name: default\n  data_files: {data_files}{told}\n---\n"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was, afterwards."""
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")


def dataset(folder: Path) -> Path:
    """A dataset with a card and some configurations."""
    features = datasets.Features({"text": datasets.Value("string"), "label": LABEL, "of": {"tags": [LABEL]}})
    for name in ("train-0", "train-1", "dev"):
        (folder / "data").mkdir(parents=True, exist_ok=True)
        rows = [{"text": f"{name} {n}", "label": n, "of": {"tags": [n]}} for n in range(2)]
        datasets.Dataset.from_list(rows, features=features).to_parquet(str(folder / f"data/{name}.parquet"))
    (folder / "README.md").write_text(CARD)
    others = {"lines/train.jsonl": '{"text": "a"}\n', "get.py": "1 / 0"}
    for name, content in others.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    return folder


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


class Hub(ThreadingHTTPServer):
    """A server with the datasets of a folder, the Parquet files of which count as large; `asked` are the paths."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.asked = folder, list[str]()


class Handler(BaseHTTPRequestHandler):
    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append(url.path)
        match url.path.split("/"):
            case ["", "api", "datasets", "ann", "texts", *revision]:
                assert parse_qs(url.query) == {"blobs": ["True"]} or parse_qs(url.query) == {"blobs": ["true"]}
                self.tell("/".join(revision[1:]) or "main")
            case ["", "datasets", "ann", "texts", "resolve", commit, *path]:
                self.answer((self.server.folder / commit / "/".join(path)).read_bytes())
            case _:
                self.answer(b'{"error": "Repository not found"}', 404, **{"X-Error-Code": "RepoNotFound"})

    def tell(self, revision: str) -> None:
        """The commit that a revision is, and its files."""
        commit = {"main": COMMIT, "refs%2Fconvert%2Fparquet": CONVERTED}.get(revision, revision)
        if not (folder := self.server.folder / commit).is_dir():
            self.answer(b'{"error": "Invalid rev id"}', 404, **{"X-Error-Code": "RevisionNotFound"})
            return
        siblings: list[dict[str, Any]] = []
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            large = {"lfs": {"sha256": digest(path), "size": 1, "pointerSize": 1}} if path.suffix == ".parquet" else {}
            siblings.append({"rfilename": path.relative_to(folder).as_posix(), "blobId": "0" * 40, "size": 1} | large)
        self.answer(json.dumps({"id": "ann/texts", "sha": commit, "siblings": siblings}).encode())

    def answer(self, content: bytes, code: int = 200, **headers: str) -> None:
        self.send_response(code)
        for name, value in (
            {"Content-Length": f"{len(content)}", "Content-Type": "application/json"} | headers
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The server in place of the Hub."""
    dataset(tmp_path / "hub" / COMMIT)
    server = Hub(tmp_path / "hub")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://huggingface.co/ http://127.0.0.1:{server.server_port}/")
    yield server
    server.shutdown()
    server.server_close()


def test_the_newest_commit_of_the_default_configuration(served: Hub, tmp_path: Path):
    found = pinned("ann/texts", None, None)
    data = served.folder / COMMIT / "data"
    splits = {"train-0": "train", "train-1": "train", "dev": "validation_matched"}
    assert found == {
        "dataset": "ann/texts",
        "revision": COMMIT,
        "config": "plain",
        "files": [
            {
                "at": f"data/{name}.parquet",
                "sha256": digest(data / f"{name}.parquet"),
                "members": None,
                "constants": {"split": split},
            }
            for name, split in splits.items()
        ],
        "classes": {"label": ["neg", "pos"], "of.tags": ["neg", "pos"]},
        "sides": {"train": "train", "validation_matched": "validation"},
    }
    place = f"/datasets/ann/texts/resolve/{COMMIT}"
    assert served.asked == ["/api/datasets/ann/texts", f"{place}/README.md", f"{place}/data/dev.parquet"]


def test_what_is_pinned_is_what_is_read(served: Hub, tmp_path: Path):
    found = pinned("ann/texts", COMMIT, None)
    fields = FIELDS | {"label": "label", "split": None}
    p = parameters("hub", **TABLE | {"fields": fields} | found)
    rows = [one for one in items("hub", p, tmp_path / "cache") if isinstance(one, Row)]
    assert [(one.text, one.label, one.split) for one in rows] == [
        (f"{name} {n}", ("neg", "pos")[n], "validation" if name == "dev" else "train")
        for name in ("train-0", "train-1", "dev")
        for n in range(2)
    ]
    served.asked.clear()
    assert [one for one in items("hub", p, tmp_path / "cache") if isinstance(one, Row)] == rows
    assert served.asked == []


def test_small_files_are_fetched_for_their_hash_and_classes_are_in_the_card(served: Hub):
    found = pinned("ann/texts", COMMIT, "lines")
    path = served.folder / COMMIT / "lines/train.jsonl"
    assert [(one["at"], one["sha256"]) for one in found["files"]] == [("lines/train.jsonl", digest(path))]
    assert found["classes"] == {"mood": ["bad", "good"]}


def test_what_the_hub_has_converted(served: Hub):
    folder = served.folder / CONVERTED
    for name in ("default/train/0000", "default/test/0000", "other/train/0000"):
        (folder / name).parent.mkdir(parents=True)
        pq.write_table(pa.table({"text": [name]}), folder / f"{name}.parquet")
    found = pinned("ann/texts", "refs/convert/parquet", "default")
    assert (found["revision"], found["config"]) == (CONVERTED, "default")
    assert [(one["at"], one["constants"]["split"]) for one in found["files"]] == [
        ("default/train/0000.parquet", "train"),
        ("default/test/0000.parquet", "test"),
    ]
    with pytest.raises(
        Fault, match=r"^ann/texts: no configuration 'othr'; there is: default, other; did you mean other"
    ):
        pinned("ann/texts", "refs/convert/parquet", "othr")


WRONG: list[Any] = [
    (("ann/nothing", None, None), "ann/nothing: {hub} gives no list of its files: Repository Not Found for url: {hub}"),
    (("ann/texts", "v9", None), "ann/texts at v9: {hub} gives no list of its files: Revision Not Found for url: {hub}"),
    (("a b", None, None), "a b: {hub} gives no list of its files: Repo id must use alphanumeric chars"),
    (
        ("ann/texts", None, "line"),
        "ann/texts: no configuration 'line'; there is: plain, lines, pictures; did you mean l",
    ),
]


@pytest.mark.parametrize(("asked", "message"), WRONG)
def test_what_a_user_can_mend(served: Hub, asked: tuple[str, str | None, str | None], message: str):
    with pytest.raises(Fault) as told:
        pinned(*asked)
    assert str(told.value).startswith(message.format(hub=f"http://127.0.0.1:{served.server_port}"))
    assert "\n" not in str(told.value)


def test_no_hub(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REPROLM_MIRRORS", "https://huggingface.co/ http://127.0.0.1:9/")
    with pytest.raises(
        Fault, match=r"^ann/texts: http://127\.0\.0\.1:9 gives no list of its files: .*Connection refused"
    ):
        pinned("ann/texts", None, None)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the Hub, for a dataset that is still to be made."""
    monkeypatch.setenv("REPROLM_MIRRORS", f"https://huggingface.co/datasets/ {tmp_path}/")
    return tmp_path / f"ann/texts/resolve/{COMMIT}"


def test_a_mirror_that_is_a_folder(mirror: Path):
    dataset(mirror)
    found = pinned("ann/texts", COMMIT, None)
    assert [one["at"] for one in found["files"]] == ["data/train-0.parquet", "data/train-1.parquet", "data/dev.parquet"]
    assert found["files"][0]["sha256"] == digest(mirror / "data/train-0.parquet")
    assert found["classes"]["label"] == ["neg", "pos"]


def test_a_mirror_knows_no_newest_commit_and_no_others(mirror: Path):
    with pytest.raises(Fault, match=r"^ann/texts: its mirror is a folder, .*/ann/texts/resolve/main/: name the commit"):
        pinned("ann/texts", None, None)
    with pytest.raises(Fault, match=rf"^ann/texts: its mirror has no .*/resolve/{COMMIT}/; mend mirrors\.txt or REPRO"):
        pinned("ann/texts", COMMIT, None)


NOTHING = "`datasets` makes nothing of its card and its files: "
ODD: list[Any] = [
    ("", {}, f"{NOTHING}No (supported) data files found in ann/texts"),
    (card("b.csv"), {"a.csv": "text\n"}, f"{NOTHING}Unable to find 'ann/texts/b.csv'"),
    ("---\nconfigs: [\n---\n", {"a.csv": "text\n"}, f"{NOTHING}while parsing a flow node"),
    ("---\nconfigs: 7\n---\n", {"a.csv": "text\n"}, NOTHING),
    (
        card("a.csv", sep='";"'),
        {"a.csv": "text\n"},
        "its card says sep=';' for 'default', which kind hub has no word for",
    ),
    (
        "",
        {"a.txt": "a\n"},
        "a.txt: .parquet, .arrow, .jsonl, .ndjson, .json, .csv, .tsv are read, plain or packed (.bz2",
    ),
    (card("https://example.org/a.csv"), {}, "its card names 'https://example.org/a.csv', which is not in it; pin that"),
    (
        card("[{split: train, path: [/etc/passwd]}]"),
        {},
        "its card names '/etc/passwd', which is not in it; pin that in",
    ),
    (card("../../b/*.csv"), {}, "its card names '../../b/*.csv', which is not in it; pin that in a source of its own"),
    (card('"zip://*.csv::a.zip"'), {}, "its card names 'zip://*.csv::a.zip', which is not in it; pin that in a source"),
]


@pytest.mark.parametrize(("told", "files", "message"), ODD)
def test_datasets_that_are_none(mirror: Path, told: str, files: dict[str, str], message: str):
    mirror.mkdir(parents=True)
    for name, content in ({"README.md": told, "get.py": "1 / 0"} | files).items():
        (mirror / name).write_text(content)
    with pytest.raises(Fault) as fault:
        pinned("ann/texts", COMMIT, None)
    assert str(fault.value).startswith(f"ann/texts: {message}")


def test_tables_and_their_separators(mirror: Path):
    mirror.mkdir(parents=True)
    for name in ("train.tsv", "test.csv"):
        (mirror / name).write_text("text\n")
        (mirror / "README.md").write_text(card(name))
        assert [one["at"] for one in pinned("ann/texts", COMMIT, None)["files"]] == [name]
    (mirror / "README.md").write_text(card("test.csv", sep='"\\t"'))
    with pytest.raises(
        Fault, match=r"^ann/texts: its card says sep='\\t' for 'default', which kind hub has no word for"
    ):
        pinned("ann/texts", COMMIT, None)


def test_configurations_without_a_default(mirror: Path):
    dataset(mirror)
    (mirror / "README.md").write_text(CARD.partition("dataset_info")[0].replace("  default: true\n", "") + "---\n")
    with pytest.raises(
        Fault, match=r"^ann/texts: no default among its configurations; there is: plain, lines, pictures"
    ):
        pinned("ann/texts", COMMIT, None)


def test_a_name_that_leads_elsewhere(served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def lying(handler: Handler, revision: str) -> None:
        siblings = [{"rfilename": "../../../evil.csv", "blobId": "0" * 40, "size": 1}]
        handler.answer(json.dumps({"id": "ann/texts", "sha": COMMIT, "siblings": siblings}).encode())

    monkeypatch.setattr(Handler, "tell", lying)
    with pytest.raises(Fault, match=r"^ann/texts: a file is called '\.\./\.\./\.\./evil\.csv', which leads elsewhere;"):
        pinned("ann/texts", None, None)
