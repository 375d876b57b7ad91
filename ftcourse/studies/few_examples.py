"""The study of lesson 3 on few sentences: which way of using a pretrained encoder wins with 64 or 256 of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from .. import profiles, records
from ..records import Folder
from .quality import embed, fit_head
from .tuning import best_setting, by_length, inputs, tuning_data

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

RATES = (2e-5, 5e-5, 1e-4)
# Each way, and the values of its setting that it may choose from on validation films: C, or the learning rate.
TRIED: dict[str, tuple[float, ...]] = {
    "frozen features": (0.0003, 0.003, 0.03),
    "head on the first token": RATES,
    "head on the mean": RATES,
    "pairs": (5e-5, 1e-4, 3e-4),
}


def text_classification_few_tried(seeds: Sequence[int] = (100,), profile: str = "local", folder: Folder = None) -> None:
    """Try three settings of each way on the most sentences, to choose one of them by its accuracy on validation films.

    Args:
        seeds: one run each a setting; others than those of `text_classification_few`.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("03", profile)
    num_train = settings.few[-1]
    for seed in seeds:
        for way, values in TRIED.items():
            for value in values:
                run = f"{way.replace(' ', '-')}-{value:g}-seed-{seed}"
                _run("text_classification_few_tried", run, settings, seed, folder, way, value, num_train, "validation")


def text_classification_few(
    seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None
) -> None:
    """Train on 64 and on 256 sentences in four ways, which take equally many steps where they take steps.

    Each way takes the setting that `text_classification_few_tried` found best.

    Args:
        seeds: one run each a way and a size; a seed chooses the sentences.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("03", profile)
    for way in TRIED:
        value = best_setting("text_classification_few_tried", way, folder)
        for num_train in settings.few:
            for seed in seeds:
                run = f"{way.replace(' ', '-')}-{num_train:03d}-seed-{seed}"
                _run("text_classification_few", run, settings, seed, folder, way, value, num_train, "test")


def _run(
    study: str,
    run: str,
    settings: SimpleNamespace,
    seed: int,
    folder: Folder,
    way: str,
    value: float,
    num_train: int,
    split: str,
) -> None:
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from .. import train

    dataset = tuning_data(settings, settings.few_sizes, seed)
    dataset["train"] = _balanced(dataset["train"], num_train)
    train.seed_everything(seed)
    with records.measure() as cost:
        if way == "frozen features":
            judge = _features(settings, dataset["train"], value)
        else:
            judge = _encoder(settings, dataset["train"], way, value, seed)
    metrics = {f"{split}_accuracy".removeprefix("test_"): judge(dataset[split])}
    used = inputs(settings, seed, dataset, way=way, value=value, num_steps=settings.few_steps)
    records.write_record(study, run, metrics=metrics, settings=used, cost=cost, folder=folder)
    print(f"{study}/{run}: {max(metrics.values()):.4f} in {cost['seconds']:.0f} s", flush=True)


def _balanced(rows: Dataset, count: int) -> Dataset:
    """Return the first rows, as many of each of the two classes."""
    labels = np.array(rows["label"][:])
    return rows.select(np.sort(np.concatenate([np.flatnonzero(labels == label)[: count // 2] for label in (0, 1)])))


def _features(settings: SimpleNamespace, rows: Dataset, strength: float) -> Callable[[Dataset], float]:
    """Train a logistic regression on frozen features."""
    head = fit_head(embed(settings, rows["text"][:]), rows["label"], C=strength)
    return lambda unseen: float(head.score(embed(settings, unseen["text"][:]), unseen["label"]))


def _encoder(
    settings: SimpleNamespace, rows: Dataset, way: str, learning_rate: float, seed: int
) -> Callable[[Dataset], float]:
    """Train the encoder with a head on its first token or its mean, or on pairs of sentences and a head afterwards.

    Pairs are the first stage of SetFit (Tunstall and others, 2022, https://arxiv.org/abs/2209.11055): the cosine of two
    sentences is pulled to 1 if they share a class and to 0 if not; then a logistic regression reads the vectors.
    """
    import torch
    from torch.nn import functional
    from transformers import AutoModel, AutoTokenizer

    from .. import train
    from ..classification import pool
    from ..files import model_path

    source = dict(pretrained_model_name_or_path=model_path(settings.model), revision=settings.model_revision)
    tokenizer = AutoTokenizer.from_pretrained(**source)
    body = AutoModel.from_pretrained(**source, attn_implementation=train.choose_attention(), **settings.model_config)
    head = torch.nn.Linear(body.config.hidden_size, 2)
    texts, labels = rows["text"][:], torch.tensor(rows["label"][:])

    def vectors(chosen: Sequence[str]) -> torch.Tensor:
        batch = tokenizer(
            list(chosen), truncation=True, max_length=settings.max_length, padding=True, return_tensors="pt"
        )
        output = body(**batch)
        first = way == "head on the first token"
        return output.pooler_output if first else pool(output.last_hidden_state, batch["attention_mask"])

    def loss(chosen: np.ndarray) -> torch.Tensor:
        found, own = vectors([texts[row] for row in chosen]), labels[chosen]
        if way != "pairs":
            return functional.cross_entropy(head(found), own)
        (first, second), (one, other) = found.chunk(2), own.chunk(2)
        return functional.mse_loss(functional.cosine_similarity(first, second), (one == other).float())

    batches = _pairs(labels.numpy(), settings, seed) if way == "pairs" else _shuffled(len(texts), settings, seed)
    _train([*body.parameters(), *head.parameters()], map(loss, batches), learning_rate, settings.few_steps)

    @torch.no_grad()
    def all_vectors(chosen: Sequence[str]) -> torch.Tensor:
        return torch.cat([vectors(chosen[start : start + 64]) for start in range(0, len(chosen), 64)])

    def judge(unseen: Dataset) -> float:
        unseen = by_length(unseen)
        found = all_vectors(unseen["text"][:])
        if way == "pairs":
            return float(fit_head(all_vectors(texts).numpy(), rows["label"]).score(found.numpy(), unseen["label"]))
        return float((head(found).argmax(-1) == torch.tensor(unseen["label"])).float().mean())

    return judge


def _train(
    parameters: Sequence[torch.nn.Parameter], losses: Iterator[torch.Tensor], learning_rate: float, num_steps: int
) -> None:
    """Take steps of AdamW, with the rate rising for a tenth of them and then falling to zero."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer, num_steps // 10, num_steps)
    for _, loss in zip(range(num_steps), losses, strict=False):
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _shuffled(count: int, settings: SimpleNamespace, seed: int) -> Iterator[np.ndarray]:
    """Yield batches of rows, each row once a pass."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(count)
        yield from np.split(order, range(settings.few_batch, count, settings.few_batch))


def _pairs(labels: np.ndarray, settings: SimpleNamespace, seed: int) -> Iterator[np.ndarray]:
    """Yield batches of rows, first and second of each pair; half of the pairs share a class."""
    rng = np.random.default_rng(seed)
    while True:
        first = rng.integers(len(labels), size=settings.few_batch // 2)
        alike = np.arange(len(first)) % 2 == 0
        second = [
            rng.choice(np.flatnonzero((labels == labels[row]) == same)) for row, same in zip(first, alike, strict=True)
        ]
        yield np.concatenate([first, second])
