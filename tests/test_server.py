"""The fine-tuning service as the unmodified OpenAI client meets it: a whole life cycle on a tiny model."""

import asyncio
import csv
import io
import os
import time

import openai
import psutil
import pytest
from openai import AsyncOpenAI, OpenAI
from safetensors.torch import load_file
from service_chats import CHATS, jsonl

from ftcourse.errors import CourseError
from ftcourse.server import find_service, start_service

pytestmark = pytest.mark.models

PATIENCE = 600  # seconds: a busy machine is no failure
DONE = ("succeeded", "failed", "cancelled")
SETTINGS = {"n_epochs": 3, "batch_size": 6, "learning_rate_multiplier": 20.0}
METHOD = {"type": "supervised", "supervised": {"hyperparameters": SETTINGS}}


@pytest.fixture(scope="module")
def service(tmp_path_factory, tiny_llama):
    with start_service(tmp_path_factory.mktemp("service"), {"tiny": str(tiny_llama)}) as service:
        yield service


def connect(service, client=OpenAI, **options):
    return client(base_url=service.base_url, api_key=service.api_key, **options)


@pytest.fixture(scope="module")
def client(service):
    """A client that takes no answer off its types."""
    return connect(service, _strict_response_validation=True)


@pytest.fixture(scope="module")
def files(client):
    return {
        name: client.files.create(file=(f"{name}.jsonl", jsonl(chats)), purpose="fine-tune")
        for name, chats in (("train", CHATS[:10]), ("valid", CHATS[10:]))
    }


def wait_until(check):
    end = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


def wait_for(client, job, statuses=DONE):
    def look():
        current = client.fine_tuning.jobs.retrieve(job.id)
        return current.status in statuses and current

    return wait_until(look)


def messages(client, job):
    """The messages of a job's events, oldest first."""
    return [event.message for event in client.fine_tuning.jobs.list_events(job.id)][::-1]


def ask(client, model, **options):
    options = {"temperature": 0, "max_tokens": 8} | options
    return client.chat.completions.create(model=model, messages=CHATS[0]["messages"][:2], **options)


@pytest.fixture(scope="module")
def trained(client, files):
    """A job that nothing disturbed."""
    job = client.fine_tuning.jobs.create(
        model="tiny",
        training_file=files["train"].id,
        method=METHOD,
        seed=7,
        validation_file=files["valid"].id,
        suffix="sums",
        metadata={"lesson": "2"},
    )
    assert (job.status, job.seed, job.hyperparameters.to_dict()) == ("validating_files", 7, SETTINGS)
    return wait_for(client, job)


def test_job_succeeds_and_tells_its_story(client, trained):
    assert (trained.status, trained.error) == ("succeeded", None)
    assert trained.fine_tuned_model.startswith("ft:tiny:org-local:sums:")
    assert trained.trained_tokens > 0 and trained.finished_at >= trained.created_at
    told = messages(client, trained)
    assert told[0] == f"Created fine-tuning job: {trained.id}"
    assert told[1] == f"Validating training file: {trained.training_file}"
    assert told[2:4] == ["Files validated, moving job to queued state", "Fine-tuning job started"]
    assert told[-2:] == [
        f"New fine-tuned model created: {trained.fine_tuned_model}",
        "The job has successfully completed",
    ]
    metrics = [event.data for event in client.fine_tuning.jobs.list_events(trained.id) if event.type == "metrics"]
    assert [step["step"] for step in metrics] == [6, 5, 4, 3, 2, 1]  # each once, also where an epoch ends
    assert {step["total_steps"] for step in metrics} == {6}
    assert all(0 <= step["train_mean_token_accuracy"] <= 1 and step["train_loss"] > 0 for step in metrics)
    evaluated = [step for step in metrics if "valid_loss" in step]
    assert {step["step"] for step in evaluated} == {2, 4, 6}
    assert all(0 <= step["valid_mean_token_accuracy"] <= 1 for step in evaluated)


def test_result_file_has_a_row_for_each_step(client, trained):
    (name,) = trained.result_files
    assert client.files.retrieve(name).purpose == "fine-tune-results"
    rows = list(csv.DictReader(io.StringIO(client.files.content(name).text)))
    assert list(rows[0]) == ["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"]
    assert [row["step"] for row in rows] == list("123456")
    assert float(rows[-1]["valid_loss"]) < float(rows[1]["valid_loss"])
    assert [bool(row["valid_loss"]) for row in rows] == [False, True] * 3


def test_checkpoints_are_models(client, trained):
    found = list(client.fine_tuning.jobs.checkpoints.list(trained.id))
    assert [checkpoint.step_number for checkpoint in found] == [6, 4, 2]
    assert found[0].metrics.valid_loss == found[0].metrics.full_valid_loss > 0
    names = [checkpoint.fine_tuned_model_checkpoint for checkpoint in found]
    assert names[0] == f"{trained.fine_tuned_model}:ckpt-step-6"
    known = [model.id for model in client.models.list()]
    assert set(known) == {"tiny", trained.fine_tuned_model, *names}
    last, first = (ask(client, name, max_tokens=1) for name in (names[0], names[-1]))
    assert last.model == names[0] and first.usage.completion_tokens == 1


def test_each_model_keeps_its_own_answer(client, trained, tiny_llama):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ftcourse.train import choose_dtype

    names = ["tiny", trained.fine_tuned_model, f"{trained.fine_tuned_model}:ckpt-step-2", "tiny"]
    answers = [ask(client, name).choices[0].message.content for name in names]
    assert answers[0] == answers[-1]
    base = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=choose_dtype())
    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    tuned = PeftModel.from_pretrained(base, adapter_folder(client, trained))
    prompt = tokenizer.apply_chat_template(
        CHATS[0]["messages"][:2], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    with torch.inference_mode():
        ids = tuned.generate(**prompt, max_new_tokens=8, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert answers[1] == tokenizer.decode(ids, skip_special_tokens=True)


def adapter_folder(client, job):
    """The folder of a job's model; only a test knows where it is."""
    return os.path.join(os.environ["SERVICE_HOME"], "models", job.id)


@pytest.fixture(autouse=True)
def home(service, monkeypatch):
    monkeypatch.setenv("SERVICE_HOME", str(service.home))


def test_stream_says_the_same_as_the_whole(client, trained):
    whole = ask(client, trained.fine_tuned_model)
    chunks = list(ask(client, trained.fine_tuned_model, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[-3:-1]][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage


def test_chat_heeds_its_options(client):
    text = ask(client, "tiny").choices[0].message.content
    cut = ask(client, "tiny", stop=[text[5:8]]).choices[0]
    assert (cut.message.content, cut.finish_reason) == (text[: text.index(text[5:8])], "stop")
    streamed = ask(client, "tiny", stop=text[5:8], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == cut.message.content
    drawn = [ask(client, "tiny", temperature=1, seed=seed).choices[0].message.content for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert ask(client, "tiny", max_tokens=3).choices[0].finish_reason == "length"
    with pytest.raises(openai.BadRequestError, match="context_length|The messages have"):
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "word " * 600}], stream=True)
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'best_of'") as caught:
        ask(client, "tiny", extra_body={"best_of": 3})
    assert caught.value.param == "best_of"


def test_many_chats_at_once(service, trained):
    async def chat_all():
        async with connect(service, AsyncOpenAI, _strict_response_validation=True) as client:
            names = ["tiny", trained.fine_tuned_model] * 4
            chats = [
                client.chat.completions.create(
                    model=name, messages=CHATS[0]["messages"][:2], temperature=0, max_tokens=6
                )
                for name in names
            ]
            return [answer.choices[0].message.content for answer in await asyncio.gather(*chats)]

    answers = asyncio.run(chat_all())
    assert len(set(answers[::2])) == len(set(answers[1::2])) == 1


def test_async_client_cancels(service, files):
    """A new job is cancelled while another one would still take long; nothing of it goes on."""

    async def cycle():
        async with connect(service, AsyncOpenAI, _strict_response_validation=True) as client:
            file = await client.files.create(file=jsonl(CHATS), purpose="fine-tune")
            job = await client.fine_tuning.jobs.create(
                model="tiny", training_file=file.id, hyperparameters={"n_epochs": 50}
            )
            await client.files.delete(file.id)  # the job has its own copy
            while (await client.fine_tuning.jobs.retrieve(job.id)).status != "running":
                await asyncio.sleep(0.1)
            return await client.fine_tuning.jobs.cancel(job.id), [
                event async for event in client.fine_tuning.jobs.list_events(job.id)
            ]

    job, events = asyncio.run(asyncio.wait_for(cycle(), PATIENCE))
    assert job.status == "cancelled" and job.finished_at and job.fine_tuned_model is None
    assert not any("failed" in event.message for event in events)
    trainers = [process for process in psutil.process_iter(["cmdline"]) if job.id in (process.info["cmdline"] or ())]
    assert not trainers


def test_pause_and_resume_from_a_fine_tuned_model(service, files, trained):
    client = connect(service)  # the client's own enumeration does not know `paused`
    job = client.fine_tuning.jobs.create(
        model=trained.fine_tuned_model,
        training_file=files["train"].id,
        seed=1,
        hyperparameters={"n_epochs": 20, "batch_size": 2},
    )
    wait_until(lambda: any(message.startswith("Step") for message in messages(client, job)))
    assert client.fine_tuning.jobs.pause(job.id).status == "paused"
    assert client.fine_tuning.jobs.resume(job.id).status in ("queued", "running")
    job = wait_for(client, job)
    assert job.status == "succeeded" and job.fine_tuned_model.startswith("ft:tiny:org-local::")
    told = messages(client, job)
    assert "The job was paused." in told and any(message.startswith("Going on from step") for message in told)
    steps = [int(message.split()[1].split("/")[0]) for message in told if message.startswith("Step")]
    assert steps == list(range(1, 101))  # none twice: it was saved when it paused


def test_a_failed_job_says_why(client):
    job = client.fine_tuning.jobs.create(model="tiny", training_file=jobs_file(client, CHATS[:7]).id)
    job = wait_for(client, job)
    assert (job.status, job.error.code, job.error.param) == ("failed", "invalid_n_examples", "training_file")
    assert "has 7 example(s), but must have at least 10 examples" in job.error.message
    event = client.fine_tuning.jobs.list_events(job.id, limit=1).data[0]
    assert event.level == "error" and job.error.message in event.message


def jobs_file(client, chats):
    return client.files.create(file=jsonl(chats), purpose="fine-tune")


def test_killed_service_loses_nothing(tmp_path, tiny_llama, service, client, trained):
    """The service is killed after the first checkpoint: the job goes on, and ends as the undisturbed one did."""
    home, models = tmp_path / "home", {"tiny": str(tiny_llama)}
    first = start_service(home, models)
    try:
        before = connect(first)
        train, valid = (jobs_file(before, chats) for chats in (CHATS[:10], CHATS[10:]))
        job = before.fine_tuning.jobs.create(
            model="tiny", training_file=train.id, validation_file=valid.id, method=METHOD, seed=7
        )
        wait_until(lambda: before.fine_tuning.jobs.checkpoints.list(job.id).data)
    finally:
        first.process.kill()
        first.process.wait()
    with start_service(home, models) as second:
        assert find_service(home).base_url == second.base_url and find_service(home).process is None
        after = connect(second, _strict_response_validation=True)
        assert {file.id for file in after.files.list() if file.purpose == "fine-tune"} == {train.id, valid.id}
        job = wait_for(after, job)
        assert job.status == "succeeded"
        assert any("The service was restarted" in message for message in messages(after, job))
    undisturbed = load_file(os.path.join(adapter_folder(client, trained), "adapter_model.safetensors"))
    resumed = load_file(home / "models" / job.id / "adapter_model.safetensors")
    assert resumed.keys() == undisturbed.keys()
    for name in resumed:
        assert (resumed[name] - undisturbed[name]).abs().max() < 1e-6, name
    assert find_service(home) is None


def test_deleting(client, trained):
    name = f"{trained.fine_tuned_model}:ckpt-step-4"
    assert client.models.delete(name).deleted
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve(name)
    with pytest.raises(openai.NotFoundError):
        ask(client, name)
    with pytest.raises(openai.PermissionDeniedError, match="only fine-tuned models"):
        client.models.delete("tiny")
    file = jobs_file(client, CHATS)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {file.id}") as caught:
        client.files.content(file.id)
    assert caught.value.param == "id"


def test_pages_are_walked_to_their_end(client, trained):
    every = [event.id for event in client.fine_tuning.jobs.list_events(trained.id)]
    walked = [event.id for event in client.fine_tuning.jobs.list_events(trained.id, limit=2)]
    assert walked == every and len(set(every)) == len(every) >= 12
    assert not client.fine_tuning.jobs.list_events(trained.id, limit=100).has_more
    assert [job.id for job in client.fine_tuning.jobs.list(metadata={"lesson": "2"})] == [trained.id]
    assert not client.fine_tuning.jobs.list(metadata={"lesson": "3"}).data
    oldest_first = [file.id for file in client.files.list(order="asc", limit=1, purpose="fine-tune")]
    assert oldest_first == [file.id for file in client.files.list(purpose="fine-tune")][::-1]


def test_second_service_on_a_folder_is_refused(service):
    before = (service.home / "service.log").read_bytes()
    with pytest.raises(CourseError, match="Another service uses the folder"):
        start_service(service.home)
    after = (service.home / "service.log").read_bytes()
    assert before and after.startswith(before)  # it is the log of the one that runs


def test_the_same_call_again_returns_the_same_service(service, tiny_llama):
    assert start_service(service.home, {"tiny": str(tiny_llama)}) is service


def test_missing_base_is_named(tmp_path):
    with pytest.raises(CourseError, match="The base model huge should be in .*nowhere"):
        start_service(tmp_path, {"huge": str(tmp_path / "nowhere")})
