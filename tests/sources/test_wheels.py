"""Docstrings from a real wheel, built here and found in the cache where `fetch` keeps wheels."""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.core.faults import Fault
from stages.core.records import Reject, Row
from stages.sources import wheels

CASES = Path(__file__).parent.parent / "cases" / "sources"

SHAPES = '''\
"""Shapes in the plane.

They have an area.
"""
import sys

class Circle:
    """A circle,
    round.

    It has a radius.
    """

    def __init__(self):
        """Never read."""

    @property
    def radius(self):
        """Half of the width."""

    @radius.setter
    def radius(self, value):
        """Set half of the width."""

    class Arc:
        """A part of it."""

        def length(self):
            """How long the arc is."""

if sys.platform == "win32":
    def draw():
        """On Windows."""
else:
    def draw():
        """Elsewhere."""

def _helper():
    """Never read."""

def empty():
    """ --- """

def outer():
    f"""Not {sys}."""
    def inner():
        """Never read."""
'''

FILES: dict[str, str | bytes] = {
    "shapes/plane.py": SHAPES,
    "shapes/__init__.py": '"""Shapes of all kinds."""\n',
    "shapes/_solid.py": 'async def volume():\n    r"""The \\space inside."""\n',
    "shapes/tests/test_plane.py": '"""Tests."""\n',
    "shapes/old.py": 'print "Python 2"\n',
    "shapes/latin.py": b'"""Caf\xe9."""\n',
    "shapes/nul.py": b'"""A"""\0\n',
    "shapes-1.0.data/scripts/run.py": '"""A script."""\n',
    "shapes/README.txt": "no module",
}


def built(cache: Path, **settings: Any) -> wheels.Params:
    """Parameters that pin a wheel of FILES, which lies in the cache."""
    cache.mkdir()
    with ZipFile(cache / "shapes.whl", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    digest = hashlib.sha256((cache / "shapes.whl").read_bytes()).hexdigest()
    (cache / "wheels").mkdir()
    (cache / "shapes.whl").rename(cache / "wheels" / digest)
    wheel = wheels.Wheel(name="shapes", version="1.0", sha256=digest)
    declared: dict[str, Any] = {"platforms": (), "skip": ("tests",), "text": "summary", "labels": {}}
    return wheels.Params(wheels=(wheel,), **(declared | settings))


def items(p: wheels.Params, cache: Path) -> Iterator[Row | Reject]:
    paths = [one.fetch(cache) for one in wheels.needs(p)]
    return (one for part in wheels.parts(p, paths) for one in wheels.read(p, part, paths))


def read(folder: Path, **settings: Any) -> tuple[dict[str, Row], dict[str, str]]:
    """Rows by key, and reasons by place."""
    p = built(folder / "cache", **settings)
    found = list(items(p, folder / "cache"))
    rows = [one for one in found if isinstance(one, Row)]
    return {str(row.key): row for row in rows}, {one.place: one.reason for one in found if isinstance(one, Reject)}


def test_what_is_public_is_read_in_the_order_of_the_source(tmp_path: Path):
    rows, _ = read(tmp_path)
    assert {key: row.text for key, row in rows.items()} == {
        "shapes:shapes::1": "Shapes of all kinds.",
        "shapes:shapes._solid:volume:1": "The \\space inside.",
        "shapes:shapes.plane::1": "Shapes in the plane.",
        "shapes:shapes.plane:Circle:1": "A circle, round.",
        "shapes:shapes.plane:Circle.radius:1": "Half of the width.",
        "shapes:shapes.plane:Circle.radius:2": "Set half of the width.",
        "shapes:shapes.plane:Circle.Arc:1": "A part of it.",
        "shapes:shapes.plane:Circle.Arc.length:1": "How long the arc is.",
        "shapes:shapes.plane:draw:1": "On Windows.",
        "shapes:shapes.plane:draw:2": "Elsewhere.",
    }
    assert list(rows)[:3] == ["shapes:shapes::1", "shapes:shapes._solid:volume:1", "shapes:shapes.plane::1"]


def test_a_class_and_all_inside_it_are_one_group(tmp_path: Path):
    rows, _ = read(tmp_path)
    groups = {row.attributes["qualname"]: row.group for row in rows.values() if "plane" in str(row.key)}
    assert groups["Circle"] == groups["Circle.radius"] == groups["Circle.Arc.length"] == "shapes:shapes.plane:Circle"
    assert groups["draw"] is None
    assert groups[""] is None


def test_attributes_are_what_is_declared(tmp_path: Path):
    rows, _ = read(tmp_path)
    circle = rows["shapes:shapes.plane:Circle:1"].attributes
    assert list(circle) == [field.name for field in wheels.ATTRIBUTES]
    assert circle["summary"] == "A circle, round."
    assert circle["body"] == "It has a radius."
    kinds = {row.attributes["kind"] for row in rows.values()}
    assert kinds == {"module", "class", "method", "function"}


def test_the_whole_docstring_keeps_its_lines(tmp_path: Path):
    rows, _ = read(tmp_path, text="full")
    assert rows["shapes:shapes.plane:Circle:1"].text == "A circle,\nround.\n\nIt has a radius."


def test_what_is_no_python_is_rejected_with_place_and_reason(tmp_path: Path):
    _, rejects = read(tmp_path)
    assert list(rejects) == ["shapes:shapes.latin", "shapes:shapes.nul", "shapes:shapes.old"]
    assert rejects["shapes:shapes.old"].startswith("not Python source: Missing parentheses")


def test_labels_come_from_the_table(tmp_path: Path):
    rows, _ = read(tmp_path, labels={"plane": ("shapes.plane",), "other": ("elsewhere.entirely",)})
    assert rows["shapes:shapes.plane:draw:1"].label == "plane"
    assert rows["shapes:shapes::1"].label is None


@pytest.mark.parametrize("case", YAML(typ="safe").load(CASES / "labels.yaml"), ids=lambda case: case["comment"])
def test_the_longest_pattern_wins(case: dict[str, str]):
    table = {
        "linear algebra": ("numpy.linalg",),
        "statistics": ("scipy.stats",),
        "probability": ("scipy.stats._qmc",),
        "text": ("models.*.tokenization_*",),
        "networks": ("models.bert", "models.*.modeling_*", "models.auto.tokenization_auto"),
    }
    assert wheels.label_of(case["module"], table) == case["area"]


def test_a_pattern_that_covers_nothing_is_told(tmp_path: Path):
    with pytest.raises(Fault) as told:
        read(tmp_path, labels={"plane": ("shapes.plain",)})
    assert str(told.value) == (
        "params.yaml: labels: plane: shapes.plain: shapes 1.0 has no such module; "
        "take it out or correct it (nearest: shapes.plane, shapes.latin, shapes.old)"
    )


def test_one_pattern_under_two_areas_is_refused(tmp_path: Path):
    with pytest.raises(ValidationError, match="numpy: under both 'a' and 'b'; keep it under one"):
        built(tmp_path / "cache", labels={"a": ("numpy",), "b": ("numpy",)})


def test_one_distribution_twice_is_refused(tmp_path: Path):
    wheel = built(tmp_path / "cache").wheels[0]
    with pytest.raises(ValidationError, match="shapes: named more than once; keep one version of each"):
        wheels.Params(wheels=(wheel, wheel), platforms=(), skip=(), text="full", labels={})


HARMFUL = {
    "../up.py": '"""Above."""',
    "/root.py": '"""From the root."""',
    "C:/drive.py": '"""On a drive."""',
    "C:\\drive.py": '"""On a drive."""',
    "shapes\\plane.py": '"""Backslashes."""',
    "shapes/../plane.py": '"""There and back."""',
    "shapes/.py": '"""No name."""',
    "shapes/inner.whl": b"PK\3\4",
    "shapes/deep.py": "-" * 10**6 + "1",
    "shapes/Plane.py": '"""The other plane."""',
    "shapes/plane.py": '"""The plane."""',
    "shapes/solid.py": '"""A module."""',
    "shapes/solid/__init__.py": '"""A package."""',
    "shapes/big.py": f'"""A bomb.\n{"a" * wheels.LARGEST}"""',
    "shapes/runs.py": '"""Runs."""\nopen("ran", "w").close()',
    "setup.py": '"""Set up."""\nopen("ran", "w").close()',
}


def of_wheel(folder: Path, how: Callable[[Path], object]) -> list[Row | Reject]:
    """What is read from a wheel that `how` makes."""
    how(made := folder / "made.whl")
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    (folder / "wheels").mkdir()
    made.rename(folder / "wheels" / digest)
    wheel = wheels.Wheel(name="shapes", version="1.0", sha256=digest)
    p = wheels.Params(wheels=(wheel,), platforms=(), skip=(), text="summary", labels={})
    return list(items(p, folder))


def harmful(path: Path) -> None:
    link = ZipInfo("shapes/link.py")
    link.external_attr = 0o120777 << 16
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in HARMFUL.items():
            archive.writestr(name, content)
        archive.writestr(link, "../../secret.py")
        for text in ("One.", "The other."):
            with warnings.catch_warnings(action="ignore"):  # zipfile's, of the name that is there already
                archive.writestr("shapes/twice.py", f'"""{text}"""')


def test_a_wheel_of_somebody_who_means_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = of_wheel(tmp_path, harmful)
    assert [row.text for row in found if isinstance(row, Row)] == ["Set up.", "The other plane.", "The plane.", "Runs."]
    assert {one.place: one.reason for one in found if isinstance(one, Reject)} == {
        "shapes:shapes.big": "not to be read from the wheel: 4,194,318 bytes are more than 4,194,304",
        "shapes:shapes.deep": "not Python source: nested too deep",
        "shapes:shapes.link": "not to be read from the wheel: a link, no file",
        "shapes:shapes.solid": (
            "not to be read from the wheel: more than one file has its name: shapes/solid.py, shapes/solid/__init__.py"
        ),
        "shapes:shapes.twice": (
            "not to be read from the wheel: more than one file has its name: shapes/twice.py, shapes/twice.py"
        ),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["wheels"]
    assert len(list((tmp_path / "wheels").iterdir())) == 1


def test_pinned_bytes_that_are_no_wheel(tmp_path: Path):
    with pytest.raises(Fault) as told:
        of_wheel(tmp_path, lambda path: path.write_text("no archive"))
    assert str(told.value) == "ingest.sources: shapes==1.0: no wheel: File is not a zip file; pin another one"


def sound(path: Path) -> None:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("shapes/plane.py", '"""The plane."""')
        archive.writestr("shapes/solid.py", '"""A solid."""\ndef area():\n    """How much."""\n')


@given(data=st.data())
def test_damaged_wheels_are_rows_rejects_or_a_fault(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    def damaged(path: Path) -> None:
        sound(path)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    with suppress(Fault):
        assert all(isinstance(one, Row | Reject) for one in of_wheel(tmp_path_factory.mktemp("wheel"), damaged))


@given(st.binary(max_size=80) | st.text('"(:=)defclass A\n\t\x0c#\\', max_size=60).map(str.encode))
def test_any_source_is_rows_or_rejects(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    def made(path: Path) -> None:
        with ZipFile(path, "w") as archive:
            archive.writestr("shapes/plane.py", '"""The plane."""')
            archive.writestr("shapes/solid.py", content)

    found = of_wheel(tmp_path_factory.mktemp("wheel"), made)
    assert "The plane." in [one.text for one in found if isinstance(one, Row)]
