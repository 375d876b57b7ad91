"""The study of lesson 2: a job of five epochs with several seeds, judged on all held-out questions."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import profiles, records
from ..chat_data import read_examples, split_chats, write_chat_file
from ..files import DATA

if TYPE_CHECKING:
    from openai import OpenAI


def openai_job(seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Path | None = None) -> None:
    """Fine-tune by the service once a seed; count the policy facts that the model states right, before and after.

    Args:
        seeds: one job each; a seed also chooses the validation dialogues.
        profile: whose settings to use; the service is always one of this machine.
        folder: of the records; by default the repository's ``results/``.
    """
    seeds = [seed for seed in seeds if not records.is_done("openai_job", f"seed-{seed}", folder)]
    if not seeds:
        return
    from ..jobs import ask_all, connect
    from ..server import start_service

    os.environ.setdefault("FTCOURSE_TRAINER_NICE", "0")  # nobody chats meanwhile
    settings = profiles.load_profile("02", profile)
    with tempfile.TemporaryDirectory() as home, start_service(home) as service:
        client = connect(service.base_url, service.api_key)
        held_out = read_examples(DATA / f"{settings.data}_held_out.jsonl")[: settings.num_test]
        conversations = [example["messages"][:-1] for example in held_out]
        before = ask_all(client, settings.model, conversations, settings.max_tokens)
        for seed in seeds:
            _run(client, settings, seed, conversations, before, Path(home), folder)


def _run(
    client: OpenAI,
    settings: SimpleNamespace,
    seed: int,
    conversations: list[list[dict[str, Any]]],
    before: list[str],
    home: Path,
    folder: Path | None,
) -> None:
    """Run one job, ask the new model and write the record."""
    from .. import jobs
    from ..dialogues import judge_answers

    examples = read_examples(DATA / f"{settings.data}.jsonl")[: settings.num_dialogues]
    splits = dict(zip(("training", "validation"), split_chats(examples, settings.num_eval, seed), strict=True))
    files = {
        name: client.files.create(file=write_chat_file(chats, home / f"{name}.jsonl"), purpose="fine-tune").id
        for name, chats in splits.items()
    }
    hyperparameters = {
        "n_epochs": settings.study_epochs,
        "batch_size": settings.batch_size,
        "learning_rate_multiplier": settings.learning_rate_multiplier,
    }
    with records.measure() as cost:
        job = client.fine_tuning.jobs.create(
            model=settings.model,
            training_file=files["training"],
            validation_file=files["validation"],
            method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
            seed=seed,
        )
        job = jobs.wait_for_job(client, job.id)
    after = jobs.ask_all(client, job.fine_tuned_model, conversations, settings.max_tokens)
    losses = jobs.parse_results(client.files.content(job.result_files[0]).read())
    metrics = {
        "facts_right": judge_answers(after)["facts_right"],
        "base_facts_right": judge_answers(before)["facts_right"],
        "first_train_loss": float(losses["train_loss"].iloc[0]),
        "train_loss": float(losses["train_loss"].iloc[-5:].mean()),
        "valid_loss": float(losses["valid_loss"].dropna().iloc[-1]),
        "tokens_per_second": job.trained_tokens / cost["seconds"],
    }
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {**hyperparameters, **{f"num_{name}": len(chats) for name, chats in splits.items()}}
    inputs |= {"num_test": len(conversations), "trained_tokens": job.trained_tokens}
    cost = {"seconds": cost["seconds"]}  # the memory of this process says nothing: the service trains
    records.write_record("openai_job", f"seed-{seed}", metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"openai_job/seed-{seed}: {metrics['facts_right']:.1%} of the facts right in {cost['seconds']:.0f} s",
        flush=True,
    )
