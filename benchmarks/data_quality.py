"""Time lesson 7's data tools on many items, made from the film reviews.

    python benchmarks/data_quality.py                    a million items, about a minute on one core
    python benchmarks/data_quality.py --items 100000     a first look

Each item is a real sentence with its number put before it, so that nearly all differ; one in a hundred is given twice,
and one in a hundred has a fault. Memory is the peak of the process with the items in it. The finder of near-duplicates
compares far more, and is timed on a twentieth of the items. Records go to results/benchmark_data_quality.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

from ftcourse import quality, records
from ftcourse.classification import read_review_sentences

LABELS = ("rotten", "fresh")
FAULTS: tuple[dict[str, Any], ...] = (
    {"input": None},
    {"input": " \n"},
    {"input": "Meh"},
    {"input": 7},
    {"output": "frseh"},
    {"input": "Itâ€™s a joy"},
)


def make_items(count: int) -> list[dict[str, Any]]:
    """Return a list of dictionaries with input and output."""
    rows = itertools.cycle(read_review_sentences().to_list())
    numbered = zip(range(count), rows, strict=False)  # the rows go round and round
    items = [{"input": f"{number}: {row['text']}", "output": LABELS[row["label"]]} for number, row in numbered]
    for place, number in enumerate(range(50, count, 100)):
        items[number] = {**items[number], **FAULTS[place % len(FAULTS)]}
        items[number + 1] = dict(items[number - 50])
    return items


def main() -> None:
    """Time the validator, the cleaner and the finder of near-duplicates, and write their records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000, help="how many")
    count = parser.parse_args().items
    items = make_items(count)
    with records.measure() as cost:
        found = len(quality.validate_training_data(items, LABELS))
    write("validate", cost, count, found=found)
    with records.measure() as cost:
        kept, removed = quality.clean_data(items, labels=LABELS)
    write("clean", cost, count, kept=len(kept), removed=len(removed))
    del kept, removed
    texts = [item["input"] for item in items[: count // 20] if isinstance(item["input"], str)]
    del items
    with records.measure() as cost:
        pairs = quality.find_near_duplicates(texts)
    write("near-duplicates", cost, len(texts), found=len(pairs))


def write(run: str, cost: dict[str, float], count: int, **metrics: int) -> None:
    """Write the record of a tool, and print it."""
    settings = {"items": count, "data": "movie-reviews"}
    records.write_record("benchmark_data_quality", run, metrics=metrics, settings=settings, cost=cost)
    print(
        f"{run}: {count:,} items in {cost['seconds']:.1f} s, peak {cost['peak_memory_mb']:,.0f} MB, {metrics}",
        flush=True,
    )


if __name__ == "__main__":
    main()
