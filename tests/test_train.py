"""Training: batches, rates, the best epoch, and a resumed run that equals one without a break."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages import train
from stages.architectures import bert
from stages.core.faults import Fault
from stages.core.numeric import Compute
from stages.core.params import Model
from stages.shell.checkpoints import Checkpoints
from stages.tasks import text_classification
from stages.train import Params, Progress, Sample, Trainer

LABELS = ["a", "b"]
SHAPE = bert.Params(dropout=0.1, sizes=bert.Sizes(width=8, layers=1, heads=2))
P = Params(
    epochs=3,
    patience=0,
    batch_size=4,
    learning_rate=1e-2,
    head_learning_rate=1e-2,
    weight_decay=0.01,
    warmup=0.25,
    max_gradient_norm=1.0,
    metric="accuracy",
    checkpoint_steps=2,
    seed=1,
    model=Model(task="text_classification", architecture="bert", weights="none"),
    objective=text_classification.Params(label_smoothing=0.1),
    shape=SHAPE,
    max_tokens=8,
    compute=Compute(cpu="native", threads=1),
)
SAMPLES = [Sample([2, 5 + n % 2, *[7] * (n % 3), 3], n % 2, 1.0, 1) for n in range(20)]
VALIDATION = ([one.tokens for one in SAMPLES[:6]], [one.target for one in SAMPLES[:6]])


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """A model as small as this is slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(p: Params = P) -> Trainer:
    """A tiny model at its start."""
    torch.manual_seed(p.seed)
    return Trainer(bert.build(SHAPE, LABELS, 12, 8, None).train(), SAMPLES, p)


def fitted(checkpoints: Checkpoints, p: Params = P) -> Trainer:
    """The tiny model after training."""
    one = trainer(p)
    train.fit(one, VALIDATION, checkpoints)
    return one


def weights(one: Trainer) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in one.model.state_dict().items()}


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """To the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_has_every_sample_as_often_as_it_is_picked(picks: list[int], size: int, epoch: int) -> None:
    samples = [Sample([n] * (n % 5), 0, 1.0, count) for n, count in enumerate(picks)]
    cut = train.batches(samples, size, epoch, 1)
    assert Counter(id(one) for batch in cut for one in batch) == Counter({id(s): s.picks for s in samples if s.picks})
    assert sum(len(batch) < size for batch in cut) <= 1
    assert len(cut) == -(-sum(picks) // size)


def test_another_epoch_is_another_order_and_batches_are_of_like_length() -> None:
    samples = [Sample([0] * (n % 40), 0, 1.0, 1) for n in range(800)]
    first, second = (train.batches(samples, 16, epoch, 1) for epoch in (0, 1))
    assert first != second and first == train.batches(samples, 16, 0, 1)
    assert max(len(b[-1].tokens) - len(b[0].tokens) for b in first) <= 2


def test_the_rate_rises_and_falls() -> None:
    rates = [train.rate(step, 10, 0.2) for step in range(11)]
    assert rates[:3] == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True) and rates[10] == 0.0
    assert train.rate(0, 10, 0.0) == 1.0 and train.rate(0, 1, 1.0) > 0


def test_the_head_has_its_own_rate_and_biases_no_decay() -> None:
    one = trainer(P.model_copy(update={"head_learning_rate": 0.5}))
    settings = {
        (g["initial_lr"], g["weight_decay"]): sum(t.numel() for t in g["params"]) for g in one.optimizer.param_groups
    }
    assert settings.keys() == {(1e-2, 0.0), (1e-2, 0.01), (0.5, 0.0), (0.5, 0.01)}
    assert settings[0.5, 0.01] == 8 * 2 and settings[0.5, 0.0] == 2


class Killed(Exception):
    """Stands for the kill."""


class Breaking(Checkpoints):
    """Checkpoints of a run that is killed after `number` of them."""

    number = 3

    def save(self, state: dict[str, Any]) -> None:
        super().save(state)
        object.__setattr__(self, "number", self.number - 1)
        if not self.number:
            raise Killed


def test_a_resumed_run_equals_one_without_a_break(tmp_path: Path) -> None:
    whole = fitted(Checkpoints(tmp_path / "whole"))
    with pytest.raises(Killed):
        fitted(Breaking(tmp_path / "broken"))
    state = Checkpoints(tmp_path / "broken").last()
    assert state and 0 < state["progress"]["step"] < whole.progress.step == 15
    resumed = fitted(Checkpoints(tmp_path / "broken"))
    assert resumed.progress == whole.progress and same(weights(resumed), weights(whole))


def test_a_seed_repeats_to_the_bit(tmp_path: Path) -> None:
    seeds = [P, P, P.model_copy(update={"seed": 2})]
    once, again, other = (weights(fitted(Checkpoints(tmp_path / str(n)), p)) for n, p in enumerate(seeds))
    assert same(once, again) and not same(once, other)


def test_the_best_epoch_is_kept_and_patience_ends_it() -> None:
    one = trainer(P.model_copy(update={"patience": 2, "epochs": 9}))
    seen: list[dict[str, Any]] = []
    for score in (0.5, 0.7, 0.7, 0.6):
        assert not one.done
        seen.append(weights(one))
        one.judged({"accuracy": score}, 1.0)
        with torch.no_grad():
            one.model.classifier.bias.add_(1.0)
    assert one.done and (one.progress.best, one.progress.best_epoch) == (0.7, 2)
    assert same(one.best, seen[1])


def test_without_patience_all_epochs_are_trained() -> None:
    one = trainer()
    one.progress = Progress(epoch=2, best_epoch=1)
    assert not one.done
    one.progress.epoch = 3
    assert one.done


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (0, "the loss is nan before the first step: the starting weights are no good; pin others in weights.files"),
        (1_200, "the loss is nan after step 1,200; lower train.learning_rate and train.head_learning_rate"),
    ],
)
def test_a_loss_that_is_no_number_is_a_fault(step: int, message: str) -> None:
    one = trainer()
    one.progress.step = step
    with torch.no_grad():
        one.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(Fault) as fault:
        one.step(SAMPLES[:4])
    assert str(fault.value) == message


def test_a_rate_that_breaks_the_weights_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault) as fault:
        fitted(Checkpoints(tmp_path), P.model_copy(update={"learning_rate": 1e30}))
    assert str(fault.value) == "the loss is nan after step 1; lower train.learning_rate and train.head_learning_rate"


def test_a_last_step_that_breaks_the_weights_is_a_fault(tmp_path: Path) -> None:
    one_step = P.model_copy(update={"learning_rate": 1e30, "batch_size": len(SAMPLES), "warmup": 0.0, "epochs": 1})
    with pytest.raises(Fault) as fault:
        fitted(Checkpoints(tmp_path), one_step)
    assert str(fault.value) == (
        "the validation loss is nan after step 1; lower train.learning_rate and train.head_learning_rate"
    )


def test_checkpoints_are_those_of_code_parameters_and_inputs(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("a", encoding="utf-8")

    def key(p: Params, *code: str) -> str:
        with Checkpoints.of(tmp_path, p, code, [tmp_path / "in"]) as checkpoints:
            return checkpoints.folder.name

    first = key(P, "train")
    assert first == key(P, "train")
    assert len({first, key(P, "train", "sources.csv"), key(P.model_copy(update={"seed": 2}), "train")}) == 3
    (tmp_path / "in/a").write_text("b", encoding="utf-8")
    assert key(P, "train") != first


def test_validation_gives_the_metric_and_the_loss() -> None:
    scores, loss = train.validated(trainer().model, *VALIDATION, P)
    assert scores.keys() == {"accuracy"} and 0 <= scores["accuracy"] <= 1 and 0 < loss < 3
