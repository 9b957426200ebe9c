"""Predict with the built model: a text, or a CSV file with a column of texts."""

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stages.core.faults import Fault, did_you_mean
from stages.shell.params import FILE, read, settings
from stages.shell.progress import progress

MODEL, LOCK = Path("models/train"), Path("dvc.lock")
ANSWER = ("predicted", "confidence")


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to predict, and how much to say."""
    parser.add_argument("what", metavar="TEXT|FILE", help="a text, or a CSV file with a header")
    parser.add_argument("--column", default="text", help="the file's column of texts (text)")
    parser.add_argument("--delimiter", type=character, help="what stands between its columns (tab in .tsv, else comma)")
    parser.add_argument("--top", type=int, default=3, help="how many labels to print for a text (3)")


def character(given: str) -> str:
    """One character; a tab may be written as `\\t`, as it is hard to type."""
    given = given.replace("\\t", "\t")
    if len(given) != 1 or given in '"\r\n':
        raise argparse.ArgumentTypeError(f"{given!r} is not one character that can stand between columns")
    return given


def main(options: argparse.Namespace) -> int:
    """Prints the likeliest labels of a text; or the file as CSV, with `predicted` and `confidence`."""
    if not MODEL.exists():
        raise Fault(f"{MODEL}: no model is built; `make repro` builds it")
    refuse_other_cleaning()
    path = Path(options.what)
    tabs = path.suffix.lower() == ".tsv"
    if is_file(path):
        return predict_file(path, options.column, options.delimiter or ("\t" if tabs else ","))
    if tabs or path.suffix.lower() == ".csv":
        raise Fault(f"{path}: no such file; to predict a text that ends like this, put a full stop after it")
    (ranked,) = predicted([options.what])
    if not ranked:
        raise Fault(f"{options.what!r}: no text is left after cleaning; give one with words in it")
    for label, probability in ranked[: options.top]:
        print(f"{probability:6.1%}  {label}")
    return 0


def is_file(path: Path) -> bool:
    """A text may be longer than the name of any file can be."""
    with suppress(OSError):
        return path.is_file()
    return False


def refuse_other_cleaning() -> None:
    """The model knows texts as they were cleaned for it: what params.yaml says must be what dvc.lock recorded."""
    if not LOCK.exists():
        raise Fault(f"{LOCK}: not found, so nothing says how texts were cleaned; `dvc repro` builds the model again")
    stages, now = read(LOCK).get("stages", {}), read(FILE)
    recorded = stages.get("clean", {}).get("params", {}).get(str(FILE), {})
    for section in ("clean", "cleaners"):
        if path := difference(recorded.get(section), now.get(section), section):
            raise Fault(
                f"{FILE}: the model was built with another {path}; "
                f"`dvc repro` builds it again, or `git checkout {FILE}` brings the committed one back"
            )
    if md5(stages, "clean", "outs") != md5(stages, "train", "deps"):
        raise Fault(f"{MODEL}: built before texts were cleaned as they are now; `dvc repro` builds it again")


def md5(stages: dict[str, Any], stage: str, side: str) -> str | None:
    """What a stage has written or read as the cleaned texts."""
    return next((one["md5"] for one in stages.get(stage, {}).get(side, ()) if one["path"] == "data/clean"), None)


def difference(one: Any, other: Any, path: str) -> str | None:
    """The path of the first value in which two trees differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return None if one == other else path
    found = (difference(one.get(key), other.get(key), f"{path}.{key}") for key in one | other)
    return next(filter(None, found), None)


def predicted(texts: Sequence[str]) -> list[list[tuple[str, float]]]:
    """The labels of each text, the likeliest first; none where cleaning, the same as in training, leaves no text."""
    from stages.clean import clean
    from stages.core.inference import Classifier

    p, model = settings("clean"), Classifier.load(MODEL)
    cleaned = [clean(text, p) for text in texts]
    there = [n for n, text in enumerate(cleaned) if text.strip()]
    tokens = model.encode([cleaned[n] for n in there])
    ranked: list[list[tuple[str, float]]] = [[] for _ in texts]
    for n, row in zip(there, model.probabilities(tokens, lambda batches: progress(batches, "predict")), strict=True):
        ranked[n] = sorted(zip(model.labels, row.tolist(), strict=True), key=lambda pair: -pair[1])
    return ranked


def predict_file(path: Path, column: str, delimiter: str) -> int:
    """The rows of the file with two columns more, which stay empty where there is no text."""
    header, *rows = read_rows(path, column, delimiter)
    if not rows:
        raise Fault(f"{path}: has no rows")
    place = header.index(column)
    writer = csv.writer(sys.stdout, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*header, *ANSWER])
    for row, ranked in zip(rows, predicted([row[place] for row in rows]), strict=True):
        writer.writerow([*row, *((ranked[0][0], f"{ranked[0][1]:.4f}") if ranked else ("", ""))])
    return 0


def read_rows(path: Path, column: str, delimiter: str) -> list[list[str]]:
    """The header, which has the column, and the rows of a CSV file; a short row is filled up with empty fields."""
    csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                header = checked(path, next(reader, []), column)
                return [header, *filled(path, reader, len(header))]
            except csv.Error as error:
                raise Fault(f"{path}:{reader.line_num}: {error}; mend the quotes, or name the --delimiter") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(f"{path}: can't be read: {error}; save it as UTF-8") from error


def checked(path: Path, header: list[str], column: str) -> list[str]:
    """The header, if the column is there and none would be there twice."""
    if column not in header:
        raise Fault(
            f"{path}: no column {column!r}; there is: {', '.join(header) or 'nothing'}; "
            f"--column names it, --delimiter what stands between them{did_you_mean(column, header)}"
        )
    for name in (column, *ANSWER):
        if [*header, *ANSWER].count(name) > 1:
            raise Fault(f"{path}: there would be two columns {name!r}; rename the file's own")
    return header


def filled(path: Path, reader: Any, width: int) -> Iterator[list[str]]:
    """Rows as long as the header; blank lines are no rows."""
    for row in reader:
        if len(row) > width:
            raise Fault(
                f"{path}:{reader.line_num}: {len(row)} fields, the header has {width}; "
                "quote a text with the delimiter in it"
            )
        if row:
            yield row + [""] * (width - len(row))
