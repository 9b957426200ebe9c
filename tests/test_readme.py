"""The README can't go stale: its tree, its example, its commands and its figures are held to what they speak of."""

import argparse
import ast
import importlib
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.core.fields import Table
from stages.shell import plugins
from stages.shell.params import check, frozen, read

TABLE = Table.model_fields.keys()
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ABOVE = {  # what has no docstring of its own
    "dvc.yaml": "the DAG, in reading order",
    "params.yaml": "every choice: a section per stage, a comment per choice",
    "dvc.lock": "what was built from what",
    "pyproject.toml": "packages that can change a byte, by area; tools' settings",
    "requirements.lock": "every package, exact",
    "Makefile": "make repro, make test: set-up included",
    ".ci/run": "what must pass",
    "stages/dag.yaml": "a link to dvc.yaml, which `report` draws",
    "stages/explain.html": "the page of `explain`",
    "stages/report.html": "the page of `report`",
}


def caption(path: Path) -> str:
    """The first line of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".:;")


def tree() -> str:
    """The lines of the README's tree: path, caption."""
    modules = sorted((ROOT / "stages").rglob("*.py"), key=lambda path: (len(path.relative_to(ROOT).parts), path))
    scripts = sorted((ROOT / "benchmarks").glob("*.py"))
    told = ABOVE | {str(path.relative_to(ROOT)): caption(path) for path in [*modules, *scripts]}
    width = max(map(len, told))
    return "\n".join(f"{name:<{width}}  {text}" for name, text in told.items())


def test_the_tree_has_a_caption_for_every_file() -> None:
    assert f"```\n{tree()}\n```" in README
    assert all((ROOT / name).exists() for name in ABOVE)


def test_the_crawl_example_is_right() -> None:
    example = re.search(r"```yaml\n(    - name: handbook.*?)```", README, re.DOTALL)
    assert example
    checked = check(read(ROOT / "params.yaml") | {"scrape": frozen({"crawls": YAML(typ="safe").load(example[1])})})
    assert checked.faults == [] and checked.values["scrape"].crawls[0].deny == ("*?*",)


def test_the_csv_example_is_right() -> None:
    example = re.search(r"```yaml\n(    - name: tickets.*?)```", README, re.DOTALL)
    assert example
    (entry,) = YAML(typ="safe").load(example[1].replace("sha256: null", "sha256: " + "a" * 64))
    params = read(ROOT / "params.yaml")
    checked = check(params | {"ingest": params["ingest"] | {"sources": frozen([entry])}})
    assert checked.faults == [] and checked.values["ingest"].sources[0].params.fields.text == "body"


def test_every_kind_of_source_is_told() -> None:
    for kind in plugins.names("sources"):
        (keys,) = re.findall(rf"^\| `{kind}` \|.*\| (.*) \|$", README, re.MULTILINE)
        own = plugins.load("sources", kind).Params.model_fields.keys() - (TABLE if "those of tables" in keys else set())
        assert own <= set(re.findall(r"`(\w+)`", keys))


def test_the_cleaning_step_of_the_readme_works() -> None:
    code = re.search(r"```python\n# stages/cleaners/lower.py\n(.*?)```", README, re.DOTALL)
    assert code
    namespace: dict[str, object] = {}
    exec(compile(code[1], "lower.py", "exec"), namespace)  # noqa: S102
    assert namespace["clean"]("ÄB c", namespace["Params"]()) == "äb c"  # type: ignore[operator]


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"^reprolm (\w+)", README, re.MULTILINE))))
def test_the_commands_of_the_readme_exist(verb: str) -> None:
    command = importlib.import_module(f"stages.commands.{verb}")
    command.arguments(argparse.ArgumentParser())


def test_the_figures_of_the_readme_are_those_of_the_committed_report() -> None:
    from stages.commands import summary

    parser, said = argparse.ArgumentParser(), io.StringIO()
    summary.arguments(parser)
    with redirect_stdout(said):
        assert summary.main(parser.parse_args([])) == 0
    scores = [line for line in said.getvalue().splitlines() if "macro-F1" in line or "accuracy" in line]
    assert scores
    assert all(line in README for line in scores)
