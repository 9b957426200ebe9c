"""What comes from outside runs nothing and reaches nobody: no network, no code of others, on real commands."""

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors import SafetensorError

from stages.architectures import bert
from stages.core.faults import Fault
from stages.core.inference import Classifier
from stages.core.mean_pooling import MeanPooledBertConfig, MeanPooledBertForSequenceClassification
from tests.conftest import Clone
from tests.shim import compiled, needs_shim, offline, with_processors
from tests.test_explain import tiny_tokenizer


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("shim"))


def python(story: str, **environment: str) -> str:
    """What a Python process says, in this environment."""
    command = [str(Path(sys.executable).with_name("python")), "-c", story]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


ASKS = """
import socket, urllib.request
for ask in (
    lambda: urllib.request.urlopen("http://nowhere.example/"),
    lambda: socket.gethostbyname("nowhere.example"),
    lambda: socket.socket().connect(("192.0.2.1", 80)),
    lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("2001:db8::1", 53)),
    lambda: socket.create_server(("127.0.0.1", 0)),
):
    try: ask()
    except OSError as error: print(type(error).__name__)
socket.socketpair()
"""
ASKED = [
    *("getaddrinfo nowhere.example", "getaddrinfo nowhere.example", "connect 192.0.2.1:80"),
    *("sendto 2001:db8::1:53", "listen 127.0.0.1:"),
]


@needs_shim
def test_the_shim_sees_who_asks(library: Path, tmp_path: Path) -> None:
    told = python(ASKS, **offline(library, log := tmp_path / "log"))
    assert told.split() == ["URLError", "gaierror", "PermissionError", "PermissionError", "PermissionError"]
    for line, asked in zip(log.read_text().splitlines(), ASKED, strict=True):
        assert line.startswith(f"python: {asked}")


@needs_shim
@pytest.mark.parametrize("number", [1, 16])
def test_the_shim_has_processors(library: Path, number: int) -> None:
    story = "import os, torch; print(os.cpu_count(), len(os.sched_getaffinity(0)), torch.get_num_threads())"
    assert python(story, **with_processors(library, number)).split() == [str(number)] * 3


@needs_shim
@pytest.mark.parametrize("made", ["again", "light"], ids=["from pinned weights", "from scratch"])
def test_no_stage_and_no_command_asks_the_network(
    made: str, request: pytest.FixtureRequest, library: Path, tmp_path: Path
) -> None:
    project: Clone = request.getfixturevalue(made)
    assert (project.root.parent / "asked").read_text() == ""
    clone = project.copy(tmp_path / "project")
    del clone.environment["DVC_NO_ANALYTICS"]
    quiet = offline(library, log := tmp_path / "log")
    for verb in (["check"], ["summary"], ["predict", "Sort a list of strings."]):
        clone.run("python", "-m", "stages.commands", *verb, **quiet)
    for command in (["repro"], ["status"], ["plots", "show"], ["metrics", "diff"]):
        clone.run("dvc", *command, **quiet)
    time.sleep(5)  # DVC asks for updates and tells of itself in a process of its own, if it does
    assert log.read_text() == ""


def test_dvc_tells_nothing_and_asks_for_no_updates(light: Clone) -> None:
    for option in ("analytics", "check_update"):
        assert light.said("dvc", "config", f"core.{option}").strip() == "false"


def test_the_hub_library_hears_that_it_tells_nothing() -> None:
    story = "from stages.shell.environment import quiet; quiet(); from huggingface_hub import constants as c; "
    assert python(f"{story}print(c.HF_HUB_DISABLE_TELEMETRY, c.HF_HUB_OFFLINE)").split() == ["True", "True"]


def test_yaml_makes_no_objects(light: Clone, tmp_path: Path) -> None:
    clone = light.copy(tmp_path / "project")
    params = clone.root / "params.yaml"
    tags = ("!!python/object/apply:os.system ['touch ran']", "!!python/object/new:os.system ['touch ran']")
    committed = params.read_text(encoding="utf-8")
    for tag in tags:
        params.write_text(committed.replace("model:", f"model: {tag}\nother:", 1), encoding="utf-8")
        for command in ("stages.commands check", "stages.weights out"):
            status, told = clone.tried("python", "-m", *command.split())
            assert status and "params.yaml: not YAML: line" in told and "Traceback" not in told
    assert not (clone.root / "ran").exists()


class Payload:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


REMOTE = """
from pathlib import Path
Path({mark!r}).mkdir()
from transformers import BertConfig as Config, BertForSequenceClassification as Model
"""

TRUSTING = """
from transformers import AutoConfig
AutoConfig.from_pretrained({folder!r}, trust_remote_code=True)
"""


def checkpoint(folder: Path, mark: Path) -> Path:
    """A tiny model whose configuration names code that lies beside it."""
    config = MeanPooledBertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    MeanPooledBertForSequenceClassification(config).save_pretrained(folder)
    (folder / "remote.py").write_text(REMOTE.format(mark=str(mark)), encoding="utf-8")
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told["auto_map"] = {"AutoConfig": "remote.Config", "AutoModelForSequenceClassification": "remote.Model"}
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def build(folder: Path) -> object:
    """As train does from pinned weights."""
    return bert.build(bert.Params(sizes=None, dropout=0.1), ["a", "b"], 20, 16, folder)


@pytest.mark.filterwarnings("ignore")
def test_code_beside_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    folder, mark = checkpoint(tmp_path / "model", tmp_path / "ran"), tmp_path / "ran"
    assert type(build(folder)).__name__ == "MeanPooledBertForSequenceClassification"
    tiny_tokenizer().save(str(folder / "tokenizer.json"))
    assert Classifier.load(folder).labels == ["LABEL_0", "LABEL_1"]
    assert not mark.exists()
    python(TRUSTING.format(folder=str(folder)), HF_HOME=str(tmp_path / "home"))
    assert mark.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_pickle_beside_a_configuration_is_not_read(tmp_path: Path, name: str) -> None:
    folder, mark = checkpoint(tmp_path / "model", tmp_path / "code"), tmp_path / "ran"
    (folder / "model.safetensors").unlink()
    payload = pickle.dumps(Payload(mark))
    (folder / name).write_bytes(payload)
    for load in (build, Classifier.load):
        with pytest.raises((SafetensorError, OSError, Fault)):
            load(folder)
    assert not mark.exists()
    pickle.loads(payload)  # noqa: S301
    assert mark.exists()
