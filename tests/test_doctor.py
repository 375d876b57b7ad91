"""The doctor: a sound machine passes, and each thing that is broken is found, with its remedy."""

import json
import shutil
import sys
from collections import namedtuple
from importlib import metadata

import psutil
import pytest

from ftcourse import assets
from ftcourse.tools import cli, doctor


@pytest.mark.models
def test_this_machine_is_sound():
    checks = {check["check"]: check for check in doctor.run_checks()}
    assert list(checks) == [
        "Python",
        "packages",
        "lock file",
        "torch",
        "bfloat16",
        "GPU",
        "cores",
        "memory",
        "assets",
        "cache",
        "disk",
        "kernel",
    ]
    assert [check for check in checks.values() if check["status"] == "FAIL"] == []
    assert all(bool(check["remedy"]) == (check["status"] != "OK") for check in checks.values())
    assert metadata.version("torch") in checks["torch"]["found"]
    assert checks["assets"]["status"] == "OK"


def test_packages_missing_wrong_or_not_as_locked(monkeypatch):
    required = ["torch<2", "no-such-package>=1", "rich", "only-for-tests; extra == 'dev'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda package: required)
    packages, lock = doctor.check_packages()
    assert packages[1] == "FAIL" and "no-such-package missing (needs >=1)" in packages[2]
    assert f"torch {metadata.version('torch')} (needs <2)" in packages[2]
    assert "rich" not in packages[2] and "only-for-tests" not in packages[2] and "make env" in packages[3]

    real = metadata.version
    monkeypatch.setattr(doctor.metadata, "version", lambda package: "0.1" if package == "rich" else real(package))
    lock = doctor.check_packages()[1]
    assert lock[1] == "WARN" and lock[2] == "not as in the lock file: rich 0.1"

    def absent(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(doctor.metadata, "requires", absent)
    (row,) = doctor.check_packages()
    assert row[1] == "WARN" and "not installed" in row[2]


@pytest.mark.parametrize(
    "program, found",
    [
        (
            "import sys; sys.exit('operator torchvision::nms does not exist')",
            "operator torchvision::nms does not exist",
        ),
        ("import os; os.abort()", "ended with code -6"),
        ("print('no JSON')", "Expecting value"),
    ],
)
def test_torch_that_does_not_load(monkeypatch, program, found):
    monkeypatch.setattr(doctor, "_ASK_TORCH", program)
    (row,) = doctor.check_torch()
    assert row[0] == "torch" and row[1] == "FAIL" and found in row[2] and "as a pair" in row[3]


@pytest.mark.parametrize(
    "answer, bfloat16, gpu",
    [
        ({"bfloat16": True, "gpu": "Some GPU, 24 GB"}, "OK", "Some GPU, 24 GB"),
        ({"bfloat16": False, "gpu": None}, "WARN", "none, and none is needed"),
    ],
)
def test_what_torch_says_of_the_hardware(monkeypatch, answer, bfloat16, gpu):
    monkeypatch.setattr(doctor, "_ASK_TORCH", f"print({json.dumps(answer)!r})")
    rows = {row[0]: row for row in doctor.check_torch()}
    assert rows["torch"][1] == rows["GPU"][1] == "OK" and rows["bfloat16"][1] == bfloat16 and gpu in rows["GPU"][2]


def test_little_memory_and_one_core(monkeypatch):
    memory = namedtuple("memory", "total available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(8e9, 3.2e9))
    assert doctor.check_memory()[1:3] == ("WARN", "3.2 GB free of 8.0 GB")
    monkeypatch.setattr(doctor, "num_cores", lambda: 1)
    assert doctor.check_processor()[1:3] == ("WARN", "1")


def test_cache_and_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "cache"))
    assert doctor.check_assets()[1] == "WARN" and "ftcourse setup" in doctor.check_assets()[3]
    assert doctor.check_cache()[1] == "OK" and list((tmp_path / "cache").iterdir()) == []
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10e9, 9.6e9, 0.4e9))
    status, found, remedy = doctor.check_disk()[1:]
    assert status == "FAIL" and found.startswith("0.4 GB free") and "FTCOURSE_HOME" in remedy
    monkeypatch.setattr(assets.cache, "is_ready", lambda name: True)
    assert doctor.check_disk()[1] == "OK", "what is there needs no more room"
    (tmp_path / "file").touch()
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "file" / "cache"))
    assert doctor.check_cache()[1] == "FAIL" and "FTCOURSE_HOME" in doctor.check_cache()[3]
    assert doctor.check_disk()[0] == "disk"


def test_kernel_that_does_not_start(monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert doctor.check_kernel()[1] == "FAIL" and "Install ipykernel" in doctor.check_kernel()[3]


@pytest.mark.parametrize("status, code", [("OK", 0), ("WARN", 0), ("FAIL", 1)])
def test_doctor_tells_a_person_and_a_program(monkeypatch, capsys, status, code):
    rows = [{"check": "disk", "status": status, "found": "[0.4 GB] free", "remedy": "Make room."}]
    monkeypatch.setattr(doctor, "run_checks", lambda: rows)
    for args, expected in (((), "[0.4 GB] free"), (("--json",), json.dumps(rows, indent=1))):
        monkeypatch.setattr(sys, "argv", ["ftcourse", "doctor", *args])
        with pytest.raises(SystemExit) as exit:
            cli.main()
        assert (exit.value.code or 0) == code
        assert expected in capsys.readouterr().out
