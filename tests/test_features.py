"""The figures of a text, and their table."""

from pathlib import Path

import pytest

from stages import features
from stages.core.figures import FEATURES
from stages.core.records import Document, read_table, write_documents


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("Sum of A", (8, 3, 2.0, 0.75, 2 / 6, 1.0)),
        ("a a b", (5, 3, 1.0, 0.6, 0.0, 2 / 3)),
        ("é 日本", (4, 3, 1.0, 0.75, 0.0, 1.0)),
        ("…", (1, 0, 0.0, 0.0, 0.0, 0.0)),
        ("", (0, 0, 0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_figures(text: str, figures: tuple[float, ...]) -> None:
    assert features.features(text) == dict(zip(FEATURES, figures, strict=True))


def test_a_shard_has_a_row_a_document(tmp_path: Path) -> None:
    documents = [Document(one, one * 3, None, "docs", None, None, {"a": ""}) for one in "xy"]
    write_documents(tmp_path / "s.parquet", documents, features.pa.struct([("a", features.pa.string())]))
    (tmp_path / "out").mkdir()
    assert features.features_shard(tmp_path / "s.parquet", tmp_path / "out") == 2
    table = read_table(tmp_path / "out/s.parquet")
    assert table.column_names == ["id", *FEATURES, "given"] and table.column("characters").to_pylist() == [3, 3]
