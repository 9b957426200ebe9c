"""`reprolm predict` in a built project: a text, a file, and what can be wrong with either."""

import csv
import io
import re
from pathlib import Path

import pytest

from tests.conftest import Clone

PREDICT = ("python", "-m", "stages.commands", "predict")
LABELS = {"sequences", "containers", "files and sockets", "text and addresses", "functions and errors"}
TEXT = "Split a string into words, with\n``boltons``."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the user's, outside the project."""
    return tmp_path_factory.mktemp("files")


def fault(clone: Clone, *arguments: str) -> str:
    """The message of a call that must fail."""
    status, told = clone.tried(*PREDICT, *arguments)
    assert status == 1 and "Traceback" not in told
    return told.strip()


def test_a_text_gets_its_likeliest_labels(light: Clone) -> None:
    lines = light.said(*PREDICT, TEXT).splitlines()
    found = [re.fullmatch(r" *([\d.]+)%  (.+)", line) for line in lines]
    labels, percents = zip(*((one[2], float(one[1])) for one in found if one), strict=True)
    assert len(lines) == 3 and set(labels) < LABELS
    assert list(percents) == sorted(percents, reverse=True)


def test_a_text_is_cleaned_as_in_training(light: Clone) -> None:
    # Markup, the library's name and white space make no difference, as cleaning takes them away.
    assert light.said(*PREDICT, "--top", "5", TEXT) == light.said(
        *(*PREDICT, "--top", "5", "Split a string   into words, with Toolz.")
    )


def test_a_file_comes_back_with_two_columns_more(light: Clone, folder: Path) -> None:
    path = folder / "texts.csv"
    path.write_text('\ufeffn,note\n1,"Open a file, then close it"\n2,日本\n', encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(light.said(*PREDICT, str(path), "--column", "note"))))
    assert [(row["n"], row["note"]) for row in rows] == [("1", "Open a file, then close it"), ("2", "日本")]
    assert all(row["predicted"] in LABELS and 0.2 <= float(row["confidence"]) <= 1 for row in rows)


def test_what_can_be_wrong_with_a_file(light: Clone, folder: Path) -> None:
    cases = {
        "other.csv": (b"title,body\na,b\n", "no column 'text'; there is: title, body; --column names it"),
        "empty.csv": (b"text\n", "has no rows"),
        "latin.csv": ("text\nGröße\n".encode("latin-1"), "can't be read: 'utf-8' codec can't decode"),
    }
    for name, (content, said) in cases.items():
        (folder / name).write_bytes(content)
        assert f"reprolm predict: {folder / name}: {said}" in fault(light, str(folder / name))
    assert "none.csv: can't be read: [Errno 2] No such file or directory" in fault(light, "none.csv")


def test_without_a_model_it_says_what_to_run(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    clone.run("rm", "-r", "models/train")
    assert fault(clone, TEXT) == "reprolm predict: models/train: no model is built; `make repro` builds it"
