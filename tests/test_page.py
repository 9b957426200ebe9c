"""The report's page as people see it: opened from disk in headless Chromium, at desktop and phone width."""

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

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
    *("Beside the linear baseline", "How it was built", "From source to training set", "Class by class"),
    *("What is taken for what", "Training", "Calibration", "Explained predictions"),
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
