"""`reprolm predict` in a built project: a text, a file, and what can be wrong with either."""

import csv
import io
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from stages.commands import predict
from stages.core.faults import Fault
from tests.conftest import Clone, lay

LABELS = {"sequences", "containers", "files and sockets", "text and addresses", "functions and errors"}
TEXT = "Split a string into words, with\n``boltons``."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the user's, outside the project."""
    return tmp_path_factory.mktemp("files")


Said = Callable[..., str]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """What `predict` prints in the folder of a project; here, as a process of its own would load torch each time."""

    def say(clone: Clone, *arguments: str) -> str:
        monkeypatch.chdir(clone.root)
        parser = ArgumentParser()
        predict.arguments(parser)
        assert predict.main(parser.parse_args(arguments)) == 0
        return capsys.readouterr().out

    return say


def fault(said: Said, clone: Clone, *arguments: str) -> str:
    """The message of a call that must fail."""
    with pytest.raises(Fault) as told:
        said(clone, *arguments)
    return str(told.value)


def test_a_text_gets_its_likeliest_labels(light: Clone, said: Said) -> None:
    told = light.said("python", "-m", "stages.commands", "predict", TEXT)
    found = [re.fullmatch(r" *([\d.]+)%  (.+)", line) for line in told.splitlines()]
    labels, percents = zip(*((one[2], float(one[1])) for one in found if one), strict=True)
    assert len(found) == 3 and set(labels) < LABELS
    assert list(percents) == sorted(percents, reverse=True)
    assert told == said(light, TEXT)


def test_a_text_is_cleaned_as_in_training(light: Clone, said: Said) -> None:
    # Markup, the library's name and white space make no difference, as cleaning takes them away.
    other = "Split a string   into words, with Toolz."
    assert said(light, "--top", "5", TEXT) == said(light, "--top", "5", other)


def test_a_file_comes_back_with_two_columns_more(light: Clone, said: Said, folder: Path) -> None:
    path = folder / "texts.csv"
    path.write_text('\ufeffn,note\n1,"Open a file, then close it"\n2,日本\n', encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(said(light, str(path), "--column", "note"))))
    assert [(row["n"], row["note"]) for row in rows] == [("1", "Open a file, then close it"), ("2", "日本")]
    assert all(row["predicted"] in LABELS and 0.2 <= float(row["confidence"]) <= 1 for row in rows)


def test_tabs_any_name_and_rows_without_text(light: Clone, said: Said, folder: Path) -> None:
    content = 'text\tn\nOpen a file\t1\n\t2\n"Say ""tab\tstop"""\t3\n\n``\n'
    (folder / "texts.tsv").write_text(content)
    (folder / "texts.export").write_text(content)
    told = said(light, str(folder / "texts.tsv"))
    assert told == said(light, str(folder / "texts.export"), "--delimiter", "\\t")
    rows = list(csv.reader(io.StringIO(told), delimiter="\t"))
    assert [row[:2] for row in rows[1:]] == [["Open a file", "1"], ["", "2"], ['Say "tab\tstop"', "3"], ["``", ""]]
    assert [row[2] in LABELS for row in rows[1:]] == [True, False, True, False]
    assert rows[2][2:] == rows[4][2:] == ["", ""]


def test_what_can_be_wrong_with_a_file(folder: Path) -> None:
    cases = {
        "other.csv": (
            b"title,txt\na,b\n",
            ": no column 'text'; there is: title, txt; --column names it, --delimiter what stands between them; did",
        ),
        "nothing.csv": (b"", ": no column 'text'; there is: nothing; --column names it, --delimiter what stands "),
        "latin.csv": ("text\nGröße\n".encode("latin-1"), ": can't be read: 'utf-8' codec can't decode"),
        "long.csv": (
            b'n,text\n1,"a\nb"\n2,c, d\n',
            ":4: 3 fields, the header has 2; quote a text with the delimiter in it",
        ),
        "quotes.csv": (b'text\n"a"b\n', ":2: ',' expected after '\"'; mend the quotes, or name the --delimiter"),
        "twice.csv": (b"text,text\na,b\n", ": there would be two columns 'text'; rename the file's own"),
        "again.csv": (b"text,predicted\na,b\n", ": there would be two columns 'predicted'; rename the file's own"),
    }
    for name, (content, message) in cases.items():
        (folder / name).write_bytes(content)
        with pytest.raises(Fault) as told:
            predict.read_rows(folder / name, "text", ",")
        assert str(told.value).startswith(f"{folder / name}{message}")


def test_without_texts_it_says_so(light: Clone, said: Said, folder: Path) -> None:
    (folder / "empty.csv").write_text("text\n")
    assert fault(said, light, str(folder / "empty.csv")) == f"{folder / 'empty.csv'}: has no rows"
    told = "none.csv: no such file; to predict a text that ends like this, put a full stop after it"
    assert fault(said, light, "none.csv") == told
    assert fault(said, light, "``") == "'``': no text is left after cleaning; give one with words in it"


def test_a_text_longer_than_any_file_name(light: Clone, said: Said) -> None:
    assert len(said(light, TEXT * 1000).splitlines()) == 3


@pytest.mark.parametrize(("given", "is_one"), [(";", True), ("\t", True), ("\\t", True), ("", False), (";;", False)])
def test_a_delimiter_is_one_character(given: str, is_one: bool) -> None:
    with nullcontext() if is_one else pytest.raises(ArgumentTypeError, match="is not one character that can stand"):
        assert len(predict.character(given)) == 1


def test_texts_are_cleaned_as_the_model_was_built_or_not_at_all(light: Clone, said: Said, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    for overlay, path in (
        ({"cleaners": {"mask": {"token": "thing"}}}, "cleaners.mask.token"),
        ({"clean": {"steps": ["markup"]}}, "clean.steps"),
    ):
        clone.change(overlay)
        assert fault(said, clone, TEXT) == (
            f"params.yaml: the model was built with another {path}; "
            "`dvc repro` builds it again, or `git checkout params.yaml` brings the committed one back"
        )
    clone.run("git", "checkout", "params.yaml")
    assert said(clone, TEXT) == said(light, TEXT)
    lay(clone.root / "dvc.lock", {"stages": {"clean": {"outs": [{"path": "data/clean", "md5": "0"}]}}})
    told = "models/train: built before texts were cleaned as they are now; `dvc repro` builds it again"
    assert fault(said, clone, TEXT) == told
    (clone.root / "dvc.lock").unlink()
    told = "dvc.lock: not found, so nothing says how texts were cleaned; `dvc repro` builds the model again"
    assert fault(said, clone, TEXT) == told


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ({"a": {"b": (1, 2)}}, {"a": {"b": (1, 2)}}, None),
        ({"a": {"b": (1, 2)}}, {"a": {"b": (1,)}}, "p.a.b"),
        ({"a": 1}, {"a": 1, "b": {}}, "p.b"),
        ({"a": 1}, {}, "p.a"),
        (None, {}, "p"),
    ],
)
def test_the_first_difference(one: Any, other: Any, path: str | None) -> None:
    assert predict.difference(one, other, "p") == path


def test_without_a_model_it_says_what_to_run(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.run("rm", "-r", "models/train")
    status, told = clone.tried("python", "-m", "stages.commands", "predict", TEXT)
    assert (status, told) == (1, "reprolm predict: models/train: no model is built; `make repro` builds it\n")
