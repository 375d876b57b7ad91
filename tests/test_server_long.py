"""What takes minutes or other programs: conformance, kills at random moments, load, speed, the page in a browser.

Not part of the push tier: ``FTCOURSE_LONG_TESTS=1 python -m pytest tests/test_server_long.py``. The first two fetch the
client's source distribution, pytest-asyncio and schemathesis from the package index; the browser test needs chromium.
"""

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import openai
import psutil
import pytest
from openai import AsyncOpenAI, OpenAI
from safetensors.torch import load_file
from service_chats import CHATS, jsonl, run_app
from tiny_llama import write_tiny_llama

from ftcourse.server import start_service
from ftcourse.server.app import create_app
from ftcourse.server.settings import load_settings

pytestmark = pytest.mark.skipif(not os.environ.get("FTCOURSE_LONG_TESTS"), reason="set FTCOURSE_LONG_TESTS=1")

DATA = Path(__file__).parents[1] / "ftcourse" / "data"
OPENAI_TESTS = dict(
    package="openai",
    version="3.54.0",
    file="openai-3.54.0.tar.gz",
    size=2_422_311,
    members={},
    room_mb=30,
    sha256="2e393e63f8a38be6452806f9ef0b6534fecd6d41ab3b2165180dfce3599249cd",
    description="",
    licence="",
    source="",
)
DONE = ("succeeded", "failed", "cancelled")


def outside(command, **options):
    """Run a child process that may reach the network: it has no part in the guard of tests/offline."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= options.pop("env", {})
    return subprocess.run(command, env=environment, capture_output=True, text=True, **options)


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """A folder with the programs that only these tests need, apart from the environment."""
    folder = tmp_path_factory.mktemp("tools")
    lock = Path(__file__).parents[1] / "requirements.lock"
    wanted = ["schemathesis>=4", "pytest-asyncio>=1.4", "httpx-aiohttp"]
    done = outside(
        [sys.executable, "-m", "pip", "install", "--quiet", "--constraint", lock, "--target", folder, *wanted]
    )
    assert done.returncode == 0, done.stderr
    return str(folder)


def connect(service, client=OpenAI, **options):
    return client(base_url=service.base_url, api_key=service.api_key, **options)


def wait_for(client, job, patience=1200):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        job = client.fine_tuning.jobs.retrieve(job.id)
        if job.status in DONE:
            return job
        time.sleep(0.3)
    raise AssertionError(f"{job.id} hangs: {job.status}")


# --- Conformance -----------------------------------------------------------------------------------------------------

SEEDED_JOB = "ft-AF1WoRqd3aJAHsqc9NY7iL8F"
SEEDED_MODEL = "ft:gpt-4o-mini:acemeco:suffix:abc123"


def seed(store, org, path):
    """Put the objects that the client's tests name into the store, as they are before a request to `path`."""

    def job(id):
        status = "paused" if path.endswith("/resume") else "queued"
        return {
            "id": id,
            "object": "fine_tuning.job",
            "created_at": 1,
            "error": None,
            "fine_tuned_model": None,
            "finished_at": None,
            "hyperparameters": {},
            "model": "gpt-4o-mini",
            "organization_id": org,
            "result_files": [],
            "seed": 1,
            "status": status,
            "trained_tokens": None,
            "training_file": "file-abc123",
            "validation_file": None,
            "metadata": {"foo": "string"},
        }

    def file(id):
        return {
            "id": id,
            "object": "file",
            "bytes": 1,
            "created_at": 1,
            "filename": "f",
            "purpose": "fine-tune",
            "status": "processed",
            "expires_at": None,
        }

    private = {"base": "gpt-4o-mini", "folder": "models/none", "attempts": 0}
    for id in (SEEDED_JOB, "after"):
        store.delete("job", id)
        store.add("job", job(id), org, private=private)
    for id in ("file-abc123", "file_id", "after"):
        store.add("file", file(id), org)
        store.content(id).write_bytes(b"x")
    store.add(
        "event",
        {
            "id": "after",
            "object": "fine_tuning.job.event",
            "created_at": 1,
            "level": "info",
            "message": "m",
            "type": "message",
            "data": {},
        },
        org,
        SEEDED_JOB,
    )
    store.add(
        "checkpoint",
        {
            "id": "after",
            "object": "fine_tuning.job.checkpoint",
            "created_at": 1,
            "step_number": 1,
            "fine_tuned_model_checkpoint": "m",
            "fine_tuning_job_id": SEEDED_JOB,
            "metrics": {},
        },
        org,
        SEEDED_JOB,
    )
    store.add("model", {"id": SEEDED_MODEL, "object": "model", "created": 1, "owned_by": org}, org, private=private)


def seeded_app(home, model, key):
    """A service without trainers that has, before each request, what the client's tests expect to be there."""
    settings = load_settings(home, {name: str(model) for name in ("gpt-4o-mini", "gpt-6-astra")})
    settings.keys = {key: "org-test"}
    app = create_app(settings)

    async def seeded(scope, receive, send):
        if scope["type"] == "http":
            seed(app.state.store, "org-test", scope["path"])
        await app(scope, receive, send)

    return seeded


def test_the_clients_own_tests(tmp_path, tiny_llama, tools):
    fetch = (
        "import sys; from pathlib import Path; from rich.console import Console; from ftcourse.assets import Asset\n"
        "from ftcourse.assets.download import download\n"
        f"download('openai', Asset(**{OPENAI_TESTS}), Path(sys.argv[1]), Console(stderr=True))"
    )
    archive = tmp_path / OPENAI_TESTS["file"]
    fetched = outside([sys.executable, "-c", fetch, archive])
    assert fetched.returncode == 0, fetched.stderr
    import hashlib

    assert hashlib.sha256(archive.read_bytes()).hexdigest() == OPENAI_TESTS["sha256"]
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    source = tmp_path / "openai-3.54.0"
    with run_app(seeded_app(tmp_path / "home", tiny_llama, "My API Key")) as url:
        tests = [
            f"tests/api_resources/{name}.py"
            for name in ("test_files", "test_models", "fine_tuning/test_jobs", "fine_tuning/jobs/test_checkpoints")
        ]
        done = outside(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-o",
                "addopts=",
                "-k",
                "not pause or path_params",
                "--tb=short",
                *tests,
            ],
            cwd=source,
            env={"PYTHONPATH": tools, "TEST_API_BASE_URL": f"{url}/v1", "NO_PROXY": "127.0.0.1"},
        )
    print(done.stdout[-3000:])
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert done.returncode == 0 and int(passed) >= 327, done.stdout[-3000:]


def test_schemathesis(tmp_path, tools):
    """At least 500 cases made from the service's own document: no fault of the service, no answer off its schema."""
    model = write_tiny_llama(tmp_path / "model", max_position_embeddings=64)  # answers end soon
    with run_app(seeded_app(tmp_path / "home", model, "key")) as url:
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        done = outside(
            [
                sys.executable,
                "-m",
                "schemathesis.cli",
                "run",
                f"{url}/openapi.json",
                "--url",
                url,
                "--checks",
                checks,
                "--header",
                "Authorization: Bearer key",
                "--max-examples",
                "20",
                "--seed",
                "1",
                "--phases",
                "examples,coverage,fuzzing",
                "--request-timeout",
                "60",
            ],
            cwd=tmp_path,
            env={"PYTHONPATH": tools, "NO_PROXY": "127.0.0.1"},
        )
    print(done.stdout[-4000:])
    cases = int(re.search(r"([\d,]+) generated", done.stdout)[1].replace(",", ""))
    assert done.returncode == 0 and cases >= 500, done.stdout[-4000:]


# --- The page in a browser -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_status_page_in_chromium(tmp_path, tiny_llama):
    with start_service(tmp_path / "home", {"tiny": str(tiny_llama)}) as service:
        client = connect(service)
        name = "<img src=x onerror=document.title='evil'>.jsonl"
        file = client.files.create(file=(name, jsonl(CHATS)), purpose="fine-tune")
        job = wait_for(
            client, client.fine_tuning.jobs.create(model="tiny", training_file=file.id, hyperparameters={"n_epochs": 2})
        )

        def dump(address):
            browser = subprocess.run(
                [
                    "chromium",
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    f"--user-data-dir={tmp_path}/browser",
                    "--virtual-time-budget=20000",
                    "--dump-dom",
                    address,
                ],
                capture_output=True,
                text=True,
                timeout=300,
            )
            return browser.stdout

        page, locked = dump(service.page), dump(service.page.replace("key=", "key=x"))
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(page, "html.parser")
    assert f"{job.id}: succeeded" in soup.text and job.fine_tuned_model in soup.text
    assert name in soup.text and not soup.select("img") and soup.title.text == "ftcourse fine-tuning service"
    (chart,) = soup.select("svg[role=img]")
    assert re.match(
        r"Loss by step: training loss from \d+\.\d\d at step 1 to \d+\.\d\d at step \d+", chart["aria-label"]
    )
    assert len(chart.select_one("polyline")["points"].split()) >= 2
    assert all(header.get("scope") == "col" for header in soup.select("thead th"))
    assert job.id not in locked and "Give the key" in locked


# --- Kills -----------------------------------------------------------------------------------------------------------

MOMENTS = ("upload", "validation", "training", "checkpointing", "adapter writing", "chat")


def test_killed_at_random_moments(tmp_path, tiny_llama):
    """Twenty kills: what was accepted is there after the restart, and each job ends as an undisturbed one does."""
    home, models, rng = tmp_path / "home", {"tiny": str(tiny_llama)}, random.Random(int(os.environ.get("SEED", 0)))
    method = {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 4, "batch_size": 2, "learning_rate_multiplier": 1.0}},
    }

    def create(client):
        file = client.files.create(file=jsonl(CHATS), purpose="fine-tune")
        return file, client.fine_tuning.jobs.create(model="tiny", training_file=file.id, method=method, seed=3)

    with start_service(home, models) as service:
        _, undisturbed = create(connect(service))
        undisturbed = wait_for(connect(service), undisturbed)
    files, jobs, told = [], [], []
    for number in range(int(os.environ.get("KILLS", 20))):
        moment, service = MOMENTS[number % len(MOMENTS)], start_service(home, models)
        try:
            client = connect(service, max_retries=0, timeout=600)
            if not jobs or client.fine_tuning.jobs.retrieve(jobs[-1].id).status in DONE:
                file, job = create(client)
                files.append(file.id)
                jobs.append(job)
            told.append((moment, at_moment(client, service, home, moment, jobs[-1].id, rng)))
        finally:
            service.process.kill()
            service.process.wait()
    with start_service(home, models) as service:
        client = connect(service)
        assert set(files) <= {file.id for file in client.files.list()}
        ended = [wait_for(client, job) for job in jobs]
        print(len(jobs), "jobs,", [job.status for job in ended], told)
        assert all(job.status == "succeeded" for job in ended)
        assert all(client.models.retrieve(job.fine_tuned_model) for job in ended)
    reference = load_file(home / "models" / undisturbed.id / "adapter_model.safetensors")
    for job in jobs:
        resumed = load_file(home / "models" / job.id / "adapter_model.safetensors")
        worst = max(float((resumed[name] - reference[name]).abs().max()) for name in reference)
        print(job.id, "differs by", worst)
        assert worst < 1e-6


def at_moment(client, service, home, moment, job_id, rng):
    """Return at a moment of the kind asked for, or when the job has passed it; say how far the job was."""
    import threading

    def status():
        return client.fine_tuning.jobs.retrieve(job_id).status

    def quietly(call):
        with suppress(openai.APIConnectionError):  # the service was killed meanwhile
            call()

    end = time.monotonic() + 600
    if moment == "upload":
        body = jsonl(CHATS) + b" " * 40_000_000
        threading.Thread(target=quietly, args=(lambda: client.files.create(file=body, purpose="fine-tune"),)).start()
        time.sleep(rng.uniform(0.05, 0.6))
    elif moment == "chat":
        stream = client.chat.completions.create(
            model="tiny", messages=CHATS[0]["messages"][:2], stream=True, max_tokens=200
        )
        next(iter(stream))
    elif moment == "validation":
        time.sleep(rng.uniform(0, 3))
    else:
        signs = {
            "training": lambda: (
                status() == "running"
                and any(event.type == "metrics" for event in client.fine_tuning.jobs.list_events(job_id, limit=1).data)
            ),
            "checkpointing": lambda: any((home / "jobs" / job_id / "training").glob("checkpoint-*")),
            "adapter writing": lambda: (home / "models" / f".{job_id}").exists(),
        }
        while not signs[moment]() and status() not in DONE and time.monotonic() < end:
            if moment == "training":
                time.sleep(rng.uniform(0.01, 0.2))
    return status()


# --- Load, speed, and what is learned --------------------------------------------------------------------------------


def memory(service):
    """Return the memory of the service and its trainers in bytes, shared pages counted once."""
    process = psutil.Process(service.process.pid)
    total = 0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += one.memory_full_info().pss
    return total


def test_eight_chats_beside_a_job_for_two_minutes(tmp_path):
    """No error, the first token within a second once loaded, and at most 3 GB."""
    question = [{"role": "user", "content": "How do I return a lamp?"}]
    with start_service(tmp_path) as service:
        client = connect(service)
        client.chat.completions.create(model="smollm2-135m-instruct", messages=question, max_tokens=4)  # loaded
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            stream = client.chat.completions.create(
                model="smollm2-135m-instruct", messages=question, stream=True, max_tokens=12
            )
            next(chunk for chunk in stream if chunk.choices[0].delta.content)
            times.append(time.perf_counter() - begun)
            stream.close()
        with open(DATA / "support_chats.jsonl", "rb") as data:
            file = client.files.create(file=data, purpose="fine-tune")
        job = client.fine_tuning.jobs.create(model="smollm2-135m-instruct", training_file=file.id)
        peak, answers = 0, 0

        async def chat_until(end, client):
            nonlocal peak, answers
            while time.monotonic() < end:
                answer = await client.chat.completions.create(
                    model="smollm2-135m-instruct", messages=question, max_tokens=16
                )
                assert answer.choices[0].message.content
                answers += 1
                peak = max(peak, memory(service))

        async def chat_all():
            async with connect(service, AsyncOpenAI, max_retries=0) as client:
                await asyncio.gather(*(chat_until(time.monotonic() + 120, client) for _ in range(8)))

        asyncio.run(chat_all())
        job = client.fine_tuning.jobs.retrieve(job.id)
        steps = [event.data["step"] for event in client.fine_tuning.jobs.list_events(job.id) if event.type == "metrics"]
        client.fine_tuning.jobs.cancel(job.id)
    print(json.dumps({"first_token_s": times, "answers": answers, "peak_mb": peak / 1e6, "steps": len(steps)}))
    assert job.status == "running" and steps
    assert sorted(times)[len(times) // 2] < 1
    assert peak < 3e9


# The same training by a script, which reads the libraries and the model, trains, and keeps the adapter.
DIRECTLY = """
import sys
sys.modules["bitsandbytes"] = None  # as the service's trainer has it
from datasets import DatasetDict
from ftcourse import dialogues, lora
from ftcourse.chat_data import MAX_LENGTH
from ftcourse.server.training import BASE_LEARNING_RATE, LORA, MICRO_BATCH
trainer = lora.fine_tune(
    DatasetDict(train=dialogues.read_chats("{chats}")), "smollm2-135m-instruct", "{folder}", **LORA, seed=0,
    max_length=MAX_LENGTH, num_train_epochs=3, per_device_train_batch_size=MICRO_BATCH,
    gradient_accumulation_steps=4 // MICRO_BATCH, learning_rate=BASE_LEARNING_RATE, weight_decay=0.0, logging_steps=1,
    disable_tqdm=True,
)
assert trainer.state.global_step == 39
trainer.model.save_pretrained("{folder}/adapter")
"""


def test_a_job_takes_hardly_longer_than_the_training_itself(tmp_path):
    lines = (DATA / "support_chats.jsonl").read_text(encoding="utf-8").splitlines()[:50]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with start_service(tmp_path / "home") as service:
        client = connect(service)
        file = client.files.create(file=tmp_path / "chats.jsonl", purpose="fine-tune")
        begun = time.perf_counter()
        job = wait_for(
            client,
            client.fine_tuning.jobs.create(
                model="smollm2-135m-instruct", training_file=file.id, seed=0, hyperparameters={"n_epochs": 3}
            ),
        )
        whole = time.perf_counter() - begun
        events = {event.message: event.created_at for event in client.fine_tuning.jobs.list_events(job.id)}
    assert job.status == "succeeded"
    trained = job.finished_at - events["Fine-tuning job started"]
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", DIRECTLY.format(chats=tmp_path / "chats.jsonl", folder=tmp_path / "direct")], check=True
    )
    direct = time.perf_counter() - begun
    print(json.dumps({"job_s": whole, "job_from_start_s": trained, "direct_s": direct}))
    assert whole < 300 and trained <= 1.05 * direct


def test_the_tuned_model_knows_the_shops_policies(tmp_path):
    from ftcourse import dialogues

    held_out = [
        json.loads(line)["messages"]
        for line in (DATA / "support_chats_held_out.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    with start_service(tmp_path / "home") as service:
        client = connect(service, timeout=3600)
        with open(DATA / "support_chats.jsonl", "rb") as data:
            file = client.files.create(file=data, purpose="fine-tune")
        job = wait_for(
            client,
            client.fine_tuning.jobs.create(model="smollm2-135m-instruct", training_file=file.id, seed=0),
            patience=7200,
        )
        shares = {}
        for model in (job.model, job.fine_tuned_model):
            answers = [
                client.chat.completions.create(model=model, messages=messages[:-1], temperature=0, max_tokens=80)
                .choices[0]
                .message.content
                for messages in held_out
            ]
            shares[model] = dialogues.judge_answers(answers)["facts_right"]
        losses = [
            event.data["train_loss"] for event in client.fine_tuning.jobs.list_events(job.id) if event.type == "metrics"
        ][::-1]
    print(json.dumps(shares | {"first_losses": losses[:5], "last_losses": losses[-5:]}))
    assert sum(losses[-5:]) < sum(losses[:5])
    assert shares[job.model] < 0.05 and shares[job.fine_tuned_model] >= 0.6
