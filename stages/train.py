"""Fit the task: from scratch, or from pinned weights. Resumes from its last checkpoint."""

import math
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from stages.core.examples import read_examples
from stages.core.faults import Fault
from stages.core.files import write_json
from stages.core.hashing import stable_hash
from stages.core.numeric import Compute
from stages.core.params import Count, Model, Plugin, Positive, Rate, Section, Share, Shared
from stages.core.records import side_rows
from stages.core.scores import contingency
from stages.shell import plugins
from stages.shell.checkpoints import Checkpoints
from stages.shell.engine import Engine
from stages.shell.progress import progress
from stages.shell.run import run

if TYPE_CHECKING:
    import torch

TOKENIZER = {"tokenizer_class": "PreTrainedTokenizerFast"} | {
    f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")
}
WINDOW = 50  # batches among which lengths are sorted: little padding, and still another order each epoch


class Params(Section):
    epochs: Positive
    patience: Count
    batch_size: Positive
    learning_rate: Rate
    head_learning_rate: Rate
    weight_decay: Annotated[float, Field(ge=0.0)]
    warmup: Share
    max_gradient_norm: Rate
    focal: Annotated[float, Field(ge=0.0)]
    logit_adjustment: Annotated[float, Field(ge=0.0)]
    metric: Annotated[str, Plugin("metrics")]
    checkpoint_steps: Positive
    seed: int
    model: Annotated[Model, Shared("model")]
    objective: Annotated[Any, Shared("tasks.${model.task}")]
    shape: Annotated[Any, Shared("architectures.${model.architecture}")]
    max_tokens: Annotated[int, Shared("tokenize.max_tokens")]
    compute: Annotated[Compute, Shared("compute")]


@dataclass(frozen=True)
class Sample:
    """What a step learns from: token ids, the number of the label, the weight of its loss, its picks an epoch."""

    tokens: list[int]
    target: int
    weight: float
    picks: int


@dataclass
class Progress:
    """Where training stands, besides weights and optimiser."""

    step: int = 0
    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    loss: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    epochs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def batches(samples: Sequence[Sample], size: int, epoch: int, seed: int) -> list[list[Sample]]:
    """One epoch: every sample `picks` times, shuffled; within windows sorted by length, and those batches shuffled."""
    rng = random.Random(stable_hash("epoch", epoch, seed))
    order = [n for n, sample in enumerate(samples) for _ in range(sample.picks)]
    rng.shuffle(order)
    windows = [order[start : start + size * WINDOW] for start in range(0, len(order), size * WINDOW)]
    cut: list[list[int]] = []
    for window in windows:
        window.sort(key=lambda n: len(samples[n].tokens))
        cut += [window[start : start + size] for start in range(0, len(window), size)]
    rng.shuffle(cut)
    return [[samples[n] for n in batch] for batch in cut]


def rate(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up over a share of the steps, then linear decay to 0."""
    warm = int(steps * warmup)
    return (step + 1) / (warm + 1) if step < warm else (steps - step) / max(steps - warm, 1)


def optimizer(model: Any, p: Params) -> "torch.optim.Optimizer":
    """AdamW (Loshchilov and Hutter 2019); the new head has its own rate; no decay on biases and norms."""
    import torch

    fresh = {id(parameter) for parameter in model.classifier.parameters()}
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for parameter in model.parameters():
        groups.setdefault((id(parameter) in fresh, parameter.ndim > 1), []).append(parameter)
    settings = [
        {
            "params": parameters,
            "lr": (p.head_learning_rate if head else p.learning_rate),
            "weight_decay": p.weight_decay if matrix else 0.0,
        }
        for (head, matrix), parameters in groups.items()
    ]
    return torch.optim.AdamW(settings, fused=True)


def prior(samples: Sequence[Sample], labels: int) -> "torch.Tensor":
    """(labels): the share of each in what an epoch counts: what balance evens out is not adjusted once more."""
    import torch

    counted = torch.zeros(labels, dtype=torch.float64)
    for sample in samples:
        counted[sample.target] += sample.weight * sample.picks
    return (counted / counted.sum()).float()


def focused(logits: "torch.Tensor", targets: "torch.Tensor", gamma: float) -> "torch.Tensor":
    """(batch): (1 - p)^gamma, p the probability of a document's label: the focal loss is cross-entropy weighted so, and
    gradients go through the weight (Lin et al. 2017)."""
    wrong = -logits.log_softmax(-1).gather(-1, targets[:, None])[:, 0].expm1()
    return wrong.clamp_min(1e-6) ** gamma  # at 0 the gradient of a root has no end


def diverged(what: str, step: int) -> str:
    """What to say of a loss that is no number; before the first step no rate can be to blame."""
    if not step:
        return f"{what} before the first step: the starting weights are no good; pin others in weights.files"
    return f"{what} after step {step:,}; lower train.learning_rate and train.head_learning_rate"


class Trainer:
    """One training run: everything that changes while it runs, so that a checkpoint can hold all of it."""

    def __init__(self, model: Any, samples: Sequence[Sample], p: Params) -> None:
        import torch

        self.model, self.samples, self.p = model, samples, p
        self.optimizer = optimizer(model, p)
        self.steps_per_epoch = -(-sum(sample.picks for sample in samples) // p.batch_size)
        self.steps = self.steps_per_epoch * p.epochs
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda n: rate(n, self.steps, p.warmup))
        self.task = plugins.load("tasks", p.model.task)
        # Added to what the model says while it learns: its own logits are then those of equally frequent labels, or as
        # near to it as the factor has it (Menon et al. 2021).
        self.offset = prior(samples, model.config.num_labels).log() * p.logit_adjustment if p.logit_adjustment else None
        self.progress = Progress()
        self.best: dict[str, Any] = {}

    def step(self, batch: Sequence[Sample]) -> float:
        """One update; gives the loss."""
        import torch

        from stages.core.inference import padded

        ids, mask = padded([sample.tokens for sample in batch], self.model.config.pad_token_id)
        logits = self.model(input_ids=ids, attention_mask=mask).logits
        targets = torch.tensor([sample.target for sample in batch])
        weights = torch.tensor([sample.weight for sample in batch])
        if self.offset is not None:
            logits = logits + self.offset
        if self.p.focal:
            weights = weights * focused(logits, targets, self.p.focal)
        loss = self.task.loss(logits, targets, weights, self.p.objective)
        if not torch.isfinite(loss):
            raise Fault(diverged(f"the loss is {loss.item()}", self.progress.step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.p.max_gradient_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return loss.item()

    def epoch(self) -> Iterator[None]:
        """The steps of the current epoch that are not done yet."""
        here = batches(self.samples, self.p.batch_size, self.progress.epoch, self.p.seed)
        for batch in here[self.progress.step - self.progress.epoch * self.steps_per_epoch :]:
            learning_rate = float(self.schedule.get_last_lr()[0])
            loss = self.step(batch)
            self.progress.step += 1
            self.progress.loss.append(
                {"step": self.progress.step, "loss": round(loss, 5), "learning_rate": round(learning_rate, 9)}
            )
            yield

    def judged(self, scores: dict[str, float], loss: float) -> None:
        """Notes the epoch's validation; keeps the weights if they are the best so far."""
        now = self.progress
        now.epoch += 1
        now.epochs.append(
            {"epoch": now.epoch, "step": now.step, "validation_loss": round(loss, 5), "validation": scores}
        )
        if scores[self.p.metric] > now.best:
            now.best, now.best_epoch = scores[self.p.metric], now.epoch
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    @property
    def done(self) -> bool:
        """All epochs, or no better one for `patience` epochs."""
        waited = self.progress.epoch - self.progress.best_epoch
        return self.progress.epoch >= self.p.epochs or bool(self.p.patience and waited >= self.p.patience)

    def state(self) -> dict[str, Any]:
        """Everything that counts for what comes next, random numbers included."""
        import torch

        return {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "progress": vars(self.progress),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on where `state` was taken."""
        import torch

        self.model.load_state_dict(state["model"])
        self.best = state["best"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        self.progress = Progress(**state["progress"])


def validated(
    model: Any, tokens: Sequence[list[int]], targets: Sequence[int], p: Params
) -> tuple[dict[str, float], float]:
    """Scores and mean cross-entropy on the validation documents."""
    from stages.core.inference import Classifier

    model.eval()
    probabilities = Classifier(model, None).probabilities(tokens, lambda b: progress(b, "validation"))
    model.train()
    actual, labels = np.array(targets), probabilities.shape[1]
    counts = contingency(actual, probabilities.argmax(1), labels)
    loss = -np.log(np.maximum(probabilities[np.arange(len(actual)), actual], 1e-12)).mean()
    score = plugins.load("metrics", p.metric).score(counts)
    return {p.metric: round(float(score), 5)}, float(loss)


def fit(trainer: Trainer, validation: tuple[Sequence[list[int]], Sequence[int]], checkpoints: Checkpoints) -> int:
    """Trains until done and leaves the best weights in the model; gives the step of the checkpoint it went on from."""
    if state := checkpoints.last():
        trainer.restore(state)
    begun = trainer.progress.step
    with progress((), "training", trainer.steps) as bar:
        bar.update(begun)
        while not trainer.done:
            for _ in trainer.epoch():
                bar.update()
                bar.set_postfix(loss=trainer.progress.loss[-1]["loss"])
                if trainer.progress.step % trainer.p.checkpoint_steps == 0:
                    checkpoints.save(trainer.state())
            scores, loss = validated(trainer.model, *validation, trainer.p)
            if not math.isfinite(loss):  # the last step of the epoch broke the weights
                raise Fault(diverged(f"the validation loss is {loss}", trainer.progress.step))
            trainer.judged(scores, loss)
            checkpoints.save(trainer.state())
    trainer.model.load_state_dict(trainer.best)
    return begun


def samples(training: Sequence[dict[str, Any]], tokens: dict[str, list[int]], place: dict[str, int]) -> list[Sample]:
    """The rows of balance that are picked, in order of arrival."""
    picked = [row for row in training if row["picks"]]
    return [Sample(tokens[row["id"]], place[row["label"]], row["weight"], row["picks"]) for row in picked]


def read_tokens(folder: Path, wanted: set[str]) -> dict[str, list[int]]:
    """Id → token ids of the documents that are wanted."""
    return {row["id"]: row["tokens"] for row in side_rows(folder) if row["id"] in wanted}


def stage(
    e: Engine, p: Params, weights: Path, source: Path, split: Path, balance: Path, tokenized: Path, out: Path
) -> str:
    """Trains on train, chooses the epoch on validation, writes one folder that loads anywhere."""
    import torch

    torch.manual_seed(p.seed)
    torch.use_deterministic_algorithms(True)
    training, held = list(side_rows(balance)), read_examples(source, split, "validation")
    tokens = read_tokens(tokenized, {row["id"] for row in training} | {example.id for example in held})
    labels = plugins.load("tasks", p.model.task).labels(row["label"] for row in training)
    place = {label: n for n, label in enumerate(labels)}
    model = build(p, labels, weights, tokenized)
    trainer = Trainer(model.train(), samples(training, tokens, place), p)
    validation = ([tokens[example.id] for example in held], [place[example.label] for example in held])
    code = ("train", f"tasks.{p.model.task}", f"architectures.{p.model.architecture}", f"metrics.{p.metric}")
    with Checkpoints.of(e.cache, p, code, [weights, source, split, balance, tokenized]) as checkpoints:
        begun = fit(trainer, validation, checkpoints)
        save(trainer, tokenized, out)
        checkpoints.end("train")
    now = trainer.progress
    steps = f"{now.step:,} steps{f' (resumed after {begun:,})' if begun else ''}"
    return f"{steps}, best epoch {now.best_epoch} of {now.epoch}: validation {p.metric} {now.best:.3f}"


def build(p: Params, labels: list[str], weights: Path, tokenized: Path) -> Any:
    """The model that the parameters name."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(tokenized / "tokenizer.json")).get_vocab_size()
    architecture = plugins.load("architectures", p.model.architecture)
    return architecture.build(
        p.shape, labels, vocabulary, p.max_tokens, weights if p.model.weights == "pinned" else None
    )


def save(trainer: Trainer, tokenized: Path, out: Path) -> None:
    """Weights and configuration as `from_pretrained` reads them, the tokenizer, the history."""
    trainer.model.save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # safetensors makes it readable for its owner alone
    shutil.copyfile(tokenized / "tokenizer.json", out / "tokenizer.json")
    write_json(out / "tokenizer_config.json", TOKENIZER)
    now = trainer.progress
    write_json(out / "history.json", {"steps": now.loss, "epochs": now.epochs, "best_epoch": now.best_epoch})


if __name__ == "__main__":
    run(stage)
