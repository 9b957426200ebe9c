"""The report's page as people see it: opened from disk in headless Chromium, at desktop and phone width."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages import explain
from stages.core.files import read_json, write_json
from stages.core.page import seen
from stages.core.records import read_table, write_table
from tests.test_report import built, reported

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)
PHONE = 360
# A frame, as a window of headless Chromium is never narrower than 500 pixels.
FRAME = """<!doctype html><body style="margin:0">
<iframe src="{page}" width="{width}" height="{height}" style="border:0"></iframe>
<script>addEventListener("message", event => {{ document.title = event.data }})</script>"""
# What is wider than its window, unless a box of its own scrolls it.
MEASURE = """<script>addEventListener("load", () => {
  const wide = [...document.querySelectorAll("main *, header *, nav *")].filter(
    one => !one.closest(".wide *, svg *") && one.getBoundingClientRect().right > innerWidth + 1)
  const names = wide.map(one => one.tagName + "." + one.className).join(" ")
  parent.postMessage(`${document.documentElement.scrollWidth} of ${innerWidth}; ${names}`, "*")
})</script>"""
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
HEADINGS = [
    *("Beside the linear baseline", "How it was built", "Where it came from", "From source to training set"),
    *("What training counts", "Labels in doubt"),
    *("Class by class", "What is taken for what", "Training", "Calibration", "Explained predictions"),
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's package chromium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a project that has been built."""
    root = built(tmp_path_factory.mktemp("project"))
    reported(root)
    return root / "reports/index.html"


def chromium(url: Path, *switches: str) -> str:
    """What Chromium says about a file."""
    profile = url.parent / "profile"
    command = [str(CHROMIUM), *SWITCHES, f"--user-data-dir={profile}", *switches, url.as_uri()]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        shutil.rmtree(profile, ignore_errors=True)


def framed(page: Path, width: int, height: int) -> Path:
    """A file that shows the page at a width."""
    frame = page.with_name(f"frame{width}.html")
    frame.write_text(FRAME.format(page=page.name, width=width, height=height), encoding="utf-8")
    return frame


def test_everything_is_there_and_no_script_ran(page: Path) -> None:
    dom = chromium(page, "--dump-dom")
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", dom) == HEADINGS
    assert "<title>The model beats the linear baseline</title>" in dom
    assert "&lt;script&gt;document.title" in dom and "<script" not in dom


@pytest.mark.parametrize("width", [PHONE, 768, 1280])
def test_the_page_never_scrolls_sideways(page: Path, width: int) -> None:
    measured = page.with_name("measured.html")
    measured.write_text(POLICY.sub("", page.read_text(encoding="utf-8")) + MEASURE, encoding="utf-8")
    dom = chromium(framed(measured, width, 800), "--dump-dom", "--virtual-time-budget=2000")
    assert f"<title>{width} of {width}; </title>" in dom


def test_it_can_be_seen(page: Path) -> None:
    picture = page.with_name("page.png")
    chromium(framed(page, PHONE, 1200), f"--screenshot={picture}", "--window-size=500,1200")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 20_000


# What somebody could write into a label, a document, a source's name or a reason to break out of the page's text.
PWN = "document.title='pwned'"
HOSTILE = (
    f"<script>{PWN}</script>\"><script>{PWN}</script>'><script>{PWN}</script></style></title></svg></textarea>-->"
    f"<img src=x onerror={PWN}>\" autofocus tabindex=0 onfocus=\"{PWN}\" x=\"' onfocus='{PWN}' x='"
    f"<svg onload={PWN}><iframe srcdoc='<script>parent.{PWN}</script>'></iframe><style>*{{display:none}}</style>"
    f"<a href=javascript:{PWN}>x</a><meta http-equiv=refresh content='0;url=javascript:{PWN}'>"
    f"{{{{7*7}}}}${{7*7}};background:url(x)&lt;b&gt;\u202etext\0\x1b[31m{'w' * 300}"
)
# The words of the project that come from outside: labels, reasons, places, ids, explainers, metrics, names of stages.
OUTSIDE = {
    *("graphs", "plots", "near-duplicate", "empty", "too short", "not Python", "docs", "a:1", "lime", "shap", "secret"),
    *("not picked", "log_loss", "d1", "mend the text"),
}
STYLES = re.compile(r"--[sw]: ?[\d.]+%?;?|max-width: ?[\d.]+px;?")


def spoiled(value: Any) -> Any:
    """The value with something hostile in all that comes from outside."""
    if isinstance(value, dict):
        return {spoiled(key): spoiled(one) for key, one in value.items()}
    if isinstance(value, list):
        return [spoiled(one) for one in value]
    return value + HOSTILE if isinstance(value, str) and value in OUTSIDE else value


def spoiled_project(root: Path) -> Path:
    """A built project of somebody who means harm."""
    built(root)
    for path in root.rglob("*.json"):
        write_json(path, spoiled(read_json(path)))
    for path in root.rglob("*.parquet"):
        table = read_table(path)
        for n, field in enumerate(table.schema):
            if field.type == pa.string() and field.name != "id":
                table = table.set_column(n, field, pa.array(spoiled(table.column(n).to_pylist()), pa.string()))
        write_table(path, table)
    return root


class Anatomy(HTMLParser):
    """What a page is made of: whatever could run, load or follow something, and all styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.active: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "img", "iframe", "object", "embed", "link", "base", "form", "input", "textarea"}:
            self.active.append(tag)
        for name, value in attrs:
            followed = name in {"href", "src", "xlink:href"} and not (value or "").startswith("#")
            if name.startswith("on") or followed or (name == "style" and not STYLES.fullmatch(value or "")):
                self.active.append(f"{tag} {name}={value}")


def hostile_pages(root: Path) -> dict[str, str]:
    """The report and the explanations of that project."""
    reported(spoiled_project(root))
    told = read_json(root / "reports/explain/explanations.json")
    told["documents"] = [one | {"base": 0.5, "words": [HOSTILE, *one["words"][1:]]} for one in told["documents"]]
    told["faithfulness"] = {"lime" + HOSTILE: told["faithfulness"]["shap" + HOSTILE]} | told["faithfulness"]
    explanations = explain.page(told, sorted(told["faithfulness"]))
    return {"report": (root / "reports/index.html").read_text(encoding="utf-8"), "explain": explanations}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return hostile_pages(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("policy", [True, False], ids=["with the policy", "without"])
@pytest.mark.parametrize("name", ["report", "explain"])
def test_what_is_a_script_in_the_data_is_text_on_the_page(
    hostile: dict[str, str], name: str, policy: bool, tmp_path: Path
) -> None:
    content = hostile[name]
    assert content.count("&lt;script&gt;document.title") > 20 and POLICY.search(content)
    path = tmp_path / "page.html"
    path.write_text(content if policy else POLICY.sub("", content), encoding="utf-8")
    dom = chromium(path, "--dump-dom", "--virtual-time-budget=2000")
    title = {"report": "The model beats the linear baseline", "explain": "Explained predictions"}[name]
    assert f"<title>{title}</title>" in dom and dom.count("<style>") == 1
    assert Anatomy(dom).active == []
    assert "{{7*7}}" in dom and not re.search("[\0\x1b\u202e]", dom) and "[U+202E]text[U+0000][U+001B]" in dom


def test_the_test_would_see_a_script_run(hostile: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(POLICY.sub("", hostile["explain"]).replace("&lt;", "<").replace("&gt;", ">"), encoding="utf-8")
    dom = chromium(path, "--dump-dom", "--virtual-time-budget=2000")
    assert "<title>pwned</title>" in dom and "script" in Anatomy(dom).active


def test_no_label_ends_the_script_of_the_page_that_dvc_plots_makes(tmp_path: Path) -> None:
    reported(spoiled_project(tmp_path))
    for name in ("balance.json", "doubts.json", "per_class.json", "confusion.csv"):
        written = (tmp_path / "reports/figures" / name).read_text(encoding="utf-8")
        assert "‹script>document.title" in written and "<" not in written


@pytest.mark.parametrize("name", ["report", "explain"])
def test_long_words_do_not_widen_the_page(hostile: dict[str, str], name: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(POLICY.sub("", hostile[name]) + MEASURE, encoding="utf-8")
    dom = chromium(framed(path, PHONE, 800), "--dump-dom", "--virtual-time-budget=2000")
    assert f"<title>{PHONE} of {PHONE}; </title>" in dom


def test_scripts_that_are_written_from_the_right_stay() -> None:
    assert seen("שלום \u200fעולם, 日本語, a\u200db\n") == "שלום \u200fעולם, 日本語, a\u200db\n"
    assert seen("a\u2066b\x7f") == "a[U+2066]b[U+007F]" and seen(3) == 3


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2): 4.5 is enough for text."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_is_readable_in_light_and_in_dark(page: Path) -> None:
    blocks = re.findall(r":root \{(.*?)\}", page.read_text(encoding="utf-8"), re.DOTALL)
    schemes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in blocks]
    assert len(schemes) == 2
    texts, grounds = ("ink", "soft", "model", "base", "good", "bad"), ("paper", "card")
    pairs = [*product(texts, grounds), *product(["ink"], ["hit", "miss", "fill"])]
    for scheme in schemes:
        assert [pair for pair in pairs if contrast(scheme[pair[0]], scheme[pair[1]]) < 4.5] == []
