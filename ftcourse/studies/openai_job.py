"""The study of lesson 2: the job of the lesson with several seeds, judged on questions that it never saw."""

import os
import tempfile
from pathlib import Path

from .. import profiles, records


def openai_job(seeds=(0, 1, 2), profile="local", folder=None):
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
        conversations = _held_out(settings)
        before = ask_all(client, settings.model, conversations, settings.max_tokens)
        for seed in seeds:
            _run(client, settings, seed, conversations, before, Path(home), folder)


def _data(name):
    return Path(__file__).parents[1] / "data" / f"{name}.jsonl"


def _held_out(settings):
    from ..chat_data import read_examples

    return [
        example["messages"][:-1] for example in read_examples(_data(f"{settings.data}_held_out"))[: settings.num_test]
    ]


def _run(client, settings, seed, conversations, before, home, folder):
    """Run one job, ask the new model and write the record."""
    from .. import jobs, lora
    from ..chat_data import read_examples, split_chats, write_chat_file

    examples = read_examples(_data(settings.data))[: settings.num_dialogues]
    sides = dict(zip(("training", "validation"), split_chats(examples, settings.num_eval, seed)))
    files = {side: client.files.create(file=write_chat_file(chats, home / f"{side}.jsonl"), purpose="fine-tune").id
             for side, chats in sides.items()}  # fmt: skip
    hyperparameters = {name: getattr(settings, name) for name in ("n_epochs", "batch_size", "learning_rate_multiplier")}
    with records.measure() as cost:
        job = client.fine_tuning.jobs.create(
            model=settings.model, training_file=files["training"], validation_file=files["validation"], seed=seed,
            method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        )  # fmt: skip
        job = jobs.wait_for_job(client, job.id)
    after = jobs.ask_all(client, job.fine_tuned_model, conversations, settings.max_tokens)
    losses = jobs.parse_results(client.files.content(job.result_files[0]).read())
    metrics = {
        "facts_right": lora.judge_answers(after)["facts_right"],
        "base_facts_right": lora.judge_answers(before)["facts_right"],
        "first_train_loss": float(losses["train_loss"].iloc[0]),
        "train_loss": float(losses["train_loss"].iloc[-5:].mean()),
        "valid_loss": float(losses["valid_loss"].dropna().iloc[-1]),
        "tokens_per_second": job.trained_tokens / cost["seconds"],
    }
    counts = {f"num_{side}": len(chats) for side, chats in sides.items()} | {"num_test": len(conversations)}
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {**hyperparameters, **counts, "trained_tokens": job.trained_tokens}
    cost = {"seconds": cost["seconds"]}  # the memory of this process says nothing: the service trains
    records.write_record("openai_job", f"seed-{seed}", metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"openai_job/seed-{seed}: {metrics['facts_right']:.1%} of the facts right in {cost['seconds']:.0f} s",
        flush=True,
    )
