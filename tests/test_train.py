"""Training: batches, rates, the best epoch, and a resumed run that equals one without a break."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stages import train
from stages.architectures import bert
from stages.core import inference
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
    focal=0.0,
    logit_adjustment=0.0,
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


def trainer(p: Params = P, samples: Sequence[Sample] = SAMPLES) -> Trainer:
    """A tiny model at its start."""
    torch.manual_seed(p.seed)
    return Trainer(bert.build(SHAPE, LABELS, 12, 8, None).train(), samples, p)


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


# The loss of unequal classes

RARE = [Sample([2, 5 + n % 2, 3], n % 2, 0.5 if n % 2 else 1.5, 1 if n % 2 else 2) for n in range(8)]


def stepped(p: Params) -> tuple[float, dict[str, Any]]:
    """The loss of a step of a tiny model, and the gradients of its head; in double precision, without dropout."""
    one = trainer(p, RARE)
    one.model.double().eval()
    seen: dict[str, Any] = {}
    one.optimizer.register_step_pre_hook(
        lambda *_: seen.update({name: t.grad.clone() for name, t in one.model.classifier.named_parameters()})
    )
    return one.step(RARE[:4]), seen


def cross_entropy(logits: NDArray[np.float64], targets: list[int], smoothing: float) -> NDArray[np.float64]:
    """With label smoothing; by numpy alone."""
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    wanted = np.full(logits.shape, smoothing / logits.shape[1])
    wanted[np.arange(len(targets)), targets] += 1 - smoothing
    return -(wanted * logs).sum(1)


def said(one: Trainer, batch: list[Sample]) -> NDArray[np.float64]:
    """The model's logits, in double precision, without dropout."""
    ids, mask = inference.padded([sample.tokens for sample in batch], 0)
    with torch.inference_mode():
        return one.model.double().eval()(input_ids=ids, attention_mask=mask).logits.numpy()


def by_hand(one: Trainer, p: Params) -> float:
    """The loss of `stepped`, by numpy alone."""
    targets = [sample.target for sample in RARE[:4]]
    logits = said(one, RARE[:4]) + p.logit_adjustment * np.log([12 / 14, 2 / 14])
    right = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    weights = (1 - right[np.arange(4), targets]) ** p.focal * [sample.weight for sample in RARE[:4]]
    return float((weights * cross_entropy(logits, targets, 0.1)).mean())


@pytest.mark.parametrize(
    "changes", [{"focal": 2.0}, {"focal": 0.5}, {"logit_adjustment": 1.0}, {"focal": 1.0, "logit_adjustment": 0.5}]
)
def test_the_loss_is_what_numpy_finds(changes: dict[str, float]) -> None:
    p = P.model_copy(update=changes)
    assert stepped(p)[0] == pytest.approx(by_hand(trainer(p, RARE), p), rel=1e-6)


@pytest.mark.parametrize("changes", [{"focal": 2.0}, {"logit_adjustment": 1.0}])
def test_gradients_are_finite_differences_of_the_loss(changes: dict[str, float]) -> None:
    p, step = P.model_copy(update=changes | {"max_gradient_norm": 1e9}), 1e-5
    _, gradients = stepped(p)
    for place in ((0, 1), (1, 3)):
        losses: list[float] = []
        for sign in (1, -1):
            one = trainer(p, RARE)
            one.model.double()
            with torch.no_grad():
                one.model.classifier.weight[place] += sign * step
            losses.append(by_hand(one, p))
        assert gradients["weight"][place].item() == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-4)


def test_focal_loss_makes_little_of_what_is_easy() -> None:
    """Lin et al. 2017: with gamma 2, what has probability .9 counts a hundredth, and what has .5 a quarter."""
    sure = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
    assert train.focused(sure, torch.tensor([0, 1]), 2.0).tolist() == pytest.approx([0.01, 0.25])


def test_a_document_that_is_wholly_sure_has_a_gradient() -> None:
    logits = torch.tensor([[50.0, -50.0]], requires_grad=True)
    train.focused(logits, torch.tensor([0]), 0.5).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_the_prior_is_of_what_an_epoch_counts() -> None:
    assert train.prior(RARE, 2).tolist() == pytest.approx([12 / 14, 2 / 14])


def test_logits_learned_with_adjustment_are_those_of_equal_labels() -> None:
    """Menon et al. 2021: of ten equal texts, one with label b, the model itself then says nothing."""
    many = [Sample([2, 5, 3], int(n == 0), 1.0, 1) for n in range(10)]
    sharp = {"epochs": 200, "objective": text_classification.Params(label_smoothing=0.0)}
    gaps: list[float] = []
    for adjustment in (0.0, 1.0):
        one = trainer(P.model_copy(update=sharp | {"logit_adjustment": adjustment}), many)
        one.model.eval()
        for _ in range(60):
            one.step(many)
        (logits,) = said(one, many[:1])
        gaps.append(float(logits[0] - logits[1]))
    assert gaps == [pytest.approx(np.log(9), abs=0.1), pytest.approx(0.0, abs=0.1)]


def test_what_is_off_is_not_even_computed() -> None:
    assert trainer().offset is None and trainer(P.model_copy(update={"logit_adjustment": 1.0})).offset is not None
