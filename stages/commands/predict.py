"""Predict with the built model: a text, or a CSV file with a column of texts."""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stages.core.faults import Fault
from stages.shell.params import settings

MODEL = Path("models/train")


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to predict, and how much to say."""
    parser.add_argument("what", metavar="TEXT|FILE.csv", help="a text, or a CSV file with a header")
    parser.add_argument("--column", default="text", help="the file's column of texts (text)")
    parser.add_argument("--top", type=int, default=3, help="how many labels to print for a text (3)")


def main(options: argparse.Namespace) -> int:
    """Prints the likeliest labels of a text; or the file as CSV, with `predicted` and `confidence`."""
    if not MODEL.exists():
        raise Fault(f"{MODEL}: no model is built; `make repro` builds it")
    if options.what.endswith(".csv"):
        return predict_file(Path(options.what), options.column)
    for label, probability in next(iter(ranked([options.what])))[: options.top]:
        print(f"{probability:6.1%}  {label}")
    return 0


def ranked(texts: Sequence[str]) -> Iterator[list[tuple[str, float]]]:
    """The labels of each text, the likeliest first; the text is cleaned as in training."""
    from stages.clean import clean
    from stages.core.inference import Classifier

    p, model = settings("clean"), Classifier.load(MODEL)
    cleaned = [clean(text, p) for text in texts]
    for row in model.probabilities(model.encode(cleaned)):
        yield sorted(zip(model.labels, row.tolist(), strict=True), key=lambda pair: -pair[1])


def predict_file(path: Path, column: str) -> int:
    """The rows of the file with two columns more."""
    rows = read_rows(path, column)
    if not rows:
        raise Fault(f"{path}: has no rows")
    writer = csv.DictWriter(sys.stdout, [*rows[0], "predicted", "confidence"])
    writer.writeheader()
    writer.writerows(answered(rows, column))
    return 0


def answered(rows: Sequence[dict[str, str]], column: str) -> Iterable[dict[str, str]]:
    """Each row with its likeliest label."""
    for row, labels in zip(rows, ranked([row[column] for row in rows]), strict=True):
        yield row | {"predicted": labels[0][0], "confidence": f"{labels[0][1]:.4f}"}


def read_rows(path: Path, column: str) -> list[dict[str, str]]:
    """The rows of a CSV file that has the column."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if column not in (reader.fieldnames or ()):
                raise Fault(
                    f"{path}: no column {column!r}; there is: {', '.join(reader.fieldnames or ())}; --column names it"
                )
            return list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(f"{path}: can't be read: {error}") from error
