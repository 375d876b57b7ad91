"""The studies at smoke size: a record a run, and a second call that does nothing."""

from ftcourse import records, studies


def test_study_writes_records_and_continues(tmp_path, capsys):
    studies.text_classification(seeds=(0,), profile="smoke", folder=tmp_path)
    record = records.load_records("text_classification", tmp_path)[0]
    assert 0 <= record["metrics"]["accuracy"] <= 1 and "out_of_domain_accuracy" in record["metrics"]
    assert record["settings"]["num_train"] == 256 and record["settings"]["seed"] == 0
    assert record["seconds"] > 0 and record["peak_memory_mb"] > 100
    written = (tmp_path / "text_classification" / "seed-0.json").stat().st_mtime_ns
    studies.text_classification(seeds=(0,), profile="smoke", folder=tmp_path)
    assert "already done" in capsys.readouterr().out
    assert (tmp_path / "text_classification" / "seed-0.json").stat().st_mtime_ns == written


def test_curve_keeps_the_losses_of_one_run(tmp_path):
    studies.text_classification_curve(seeds=(0, 1), profile="smoke", folder=tmp_path)
    first, second = records.load_records("text_classification_curve", tmp_path)
    assert [row["epoch"] for row in first["history"]] == [1.0, 2.0]
    assert all(row["train_loss"] > 0 and row["eval_loss"] > 0 for row in first["history"])
    assert "history" not in second
