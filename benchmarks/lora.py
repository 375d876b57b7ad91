"""Time lesson 4's training against TRL's SFTTrainer, without packing: same model, dialogues, rank, dtype and batch.

    pip install -e ".[benchmark]"
    python benchmarks/lora.py                 about ten minutes on two cores
    python benchmarks/lora.py --repeats 1

TRL trains as its documentation shows, with three changes in its favour or for likeness: no activation checkpointing,
which is its default and costs time, the course's learning rate, and no logging to outside services. The two run in
turn, so that a change of the machine's speed meets both; a ratio is taken within each turn and the median is quoted.
Each turn trains on all dialogues once, so that both meet the same lengths. Records go to results/benchmark_lora.
"""

import argparse
import statistics
import tempfile
from typing import Any

from datasets import DatasetDict
from peft import LoraConfig
from timing import StepTimes, ratios
from transformers import AutoModelForCausalLM, AutoTokenizer

from ftcourse import lora, records, train
from ftcourse.files import model_path
from ftcourse.profiles import load_profile

SETTINGS = load_profile("04", "local")
BATCH_SIZE = SETTINGS.training["per_device_train_batch_size"]
COMMON: dict[str, Any] = dict(
    num_train_epochs=1,
    per_device_train_batch_size=BATCH_SIZE,
    learning_rate=SETTINGS.training["learning_rate"],
    weight_decay=0.0,
    seed=0,
    disable_tqdm=True,
)


def time_ours(chats: DatasetDict) -> list[float]:
    """Train with `ftcourse.lora.fine_tune`; return the seconds of each step but the first, which warms up.

    Args:
        chats: with the split train, column messages.
    """
    times = StepTimes()
    with tempfile.TemporaryDirectory() as folder:
        lora.fine_tune(
            chats, SETTINGS.model, folder, callbacks=[times], max_length=SETTINGS.max_length, **SETTINGS.lora, **COMMON
        )
    return times.seconds[1:]


def time_trl(chats: DatasetDict) -> list[float]:
    """Train with TRL's SFTTrainer; return the seconds of each step but the first.

    Args:
        chats: with the split train, column messages.
    """
    from trl import SFTConfig, SFTTrainer

    train.seed_everything(0)
    times, path = StepTimes(), model_path(SETTINGS.model)
    adapters = LoraConfig(task_type="CAUSAL_LM", target_modules=list(lora.TARGETS), **SETTINGS.lora)
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(
            folder,
            max_length=SETTINGS.max_length,
            packing=False,
            gradient_checkpointing=False,
            bf16=train.has_bfloat16(),
            use_cpu=train.choose_device() == "cpu",
            report_to="none",
            save_strategy="no",
            **COMMON,
        )
        SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(path, dtype=train.choose_dtype()),
            args=args,
            peft_config=adapters,
            train_dataset=chats["train"],
            processing_class=AutoTokenizer.from_pretrained(path),
            callbacks=[times],
        ).train()
    return times.seconds[1:]


def main() -> None:
    """Time both in turn and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="turns of both")
    repeats = parser.parse_args().repeats
    from trl import __version__ as trl_version

    chats = DatasetDict(train=lora.load_chats(SETTINGS.data)["train"])
    turns = []
    with records.measure() as cost:
        for _ in range(repeats):
            theirs, ours = statistics.mean(time_trl(chats)), statistics.mean(time_ours(chats))
            turns.append((BATCH_SIZE / theirs, BATCH_SIZE / ours))
            print(f"TRL {turns[-1][0]:.2f}, ours {turns[-1][1]:.2f} dialogues a second", flush=True)
    metrics = {
        "trl_dialogues_per_second": statistics.median(a for a, _ in turns),
        "our_dialogues_per_second": statistics.median(b for _, b in turns),
        **ratios([b / a for a, b in turns]),
    }
    settings = dict(
        SETTINGS.lora, dialogues=len(chats["train"]), repeats=repeats, model=SETTINGS.model, trl=trl_version, **COMMON
    )
    records.write_record("benchmark_lora", "trl", metrics=metrics, settings=settings, cost=cost)
    print(metrics)


if __name__ == "__main__":
    main()
