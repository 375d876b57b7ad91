"""The service's HTTP interface without trainers: errors, keys, organisations, limits, pages; and its store."""

import asyncio
import errno
import hmac
import inspect
import json
import re
import sqlite3
import threading

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from service_chats import CHATS, jsonl, run_app

from ftcourse.chat_data import plain_messages
from ftcourse.errors import CourseError
from ftcourse.server import chat, dependencies, schemas, serve, states, worker
from ftcourse.server.app import create_app
from ftcourse.server.dependencies import admit
from ftcourse.server.errors import ApiError, Gate
from ftcourse.server.settings import load_settings
from ftcourse.server.store import Store, new_id
from ftcourse.server.validation import validate

pytestmark = pytest.mark.models

KEYS = {"sk-ours": "org-ours", "sk-also-ours": "org-ours", "sk-theirs": "org-theirs"}


@pytest.fixture(scope="module")
def app(tmp_path_factory, tiny_llama):
    settings = load_settings(
        tmp_path_factory.mktemp("home"), {"tiny": str(tiny_llama)}, max_file_bytes=100_000, max_body_bytes=200_000
    )
    settings.keys = KEYS
    return create_app(settings)


@pytest.fixture(scope="module")
def url(app):
    with run_app(app) as url:
        yield url


@pytest.fixture
def http(url):
    with httpx2.Client(base_url=url, headers={"Authorization": "Bearer sk-ours"}) as client:
        yield client


def connect(url, key="sk-ours"):
    return OpenAI(base_url=f"{url}/v1", api_key=key, _strict_response_validation=True)


@pytest.fixture
def client(url):
    return connect(url)


@pytest.fixture
def file(client):
    return client.files.create(file=("chats.jsonl", jsonl(CHATS)), purpose="fine-tune")


def check_envelope(answer, status, code=None, param=None):
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    assert (error["code"], error["param"]) == (code, param), error
    return error["message"]


@pytest.mark.parametrize(
    "change, code, param, message",
    [
        ({"model": None}, "missing_required_parameter", "model", "Missing"),
        ({"training_file": None}, "missing_required_parameter", "training_file", "Missing"),
        ({"model": "gpt-4o"}, "model_not_found", "model", "base models here are: tiny"),
        ({"training_file": "file-none"}, "invalid_value", "training_file", "No such File object: file-none"),
        ({"validation_file": "../keys.json"}, "invalid_value", "validation_file", "No such File object"),
        ({"n_epoch": 3}, "unknown_parameter", "n_epoch", "Unknown parameter: 'n_epoch'"),
        ({"hyperparameters": {"n_epochs": 0}}, "invalid_value", "hyperparameters.n_epochs", "'auto' or .* equal to 1"),
        (
            {"hyperparameters": {"n_epochs": 51}},
            "invalid_value",
            "hyperparameters.n_epochs",
            "less than or equal to 50",
        ),
        ({"hyperparameters": {"n_epochs": True}}, "invalid_value", "hyperparameters.n_epochs", "It is True"),
        ({"hyperparameters": {"batch_size": 257}}, "invalid_value", "hyperparameters.batch_size", "256"),
        (
            {"hyperparameters": {"learning_rate_multiplier": 0}},
            "invalid_value",
            "hyperparameters.learning_rate_multiplier",
            "greater than 0",
        ),
        ({"hyperparameters": {"epochs": 1}}, "unknown_parameter", "hyperparameters.epochs", "Unknown"),
        ({"method": {"type": "dpo", "dpo": {}}}, "unsupported_method", "method.type", "not built here"),
        ({"method": {"type": "magic"}}, "invalid_value", "method.type", "'supervised'"),
        ({"method": {"supervised": {}}}, "missing_required_parameter", "method.type", "Missing"),
        (
            {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "many"}}}},
            "invalid_value",
            "method.supervised.hyperparameters.n_epochs",
            "It is 'many'",
        ),
        ({"suffix": ""}, "invalid_value", "suffix", "at least 1"),
        ({"suffix": "x" * 65}, "invalid_value", "suffix", "at most 64"),
        ({"suffix": 7}, "invalid_value", "suffix", "string"),
        ({"seed": -1}, "invalid_value", "seed", "0"),
        ({"seed": 2**31}, "invalid_value", "seed", "2147483647"),
        ({"metadata": {str(n): "" for n in range(17)}}, "invalid_value", "metadata", "at most 16"),
        ({"metadata": {"long": "x" * 513}}, "invalid_value", "metadata.long", "at most 512"),
    ],
)
def test_faulty_jobs_are_refused_by_name(http, file, change, code, param, message):
    body = {"model": "tiny", "training_file": file.id} | change
    answer = http.post("/v1/fine_tuning/jobs", json={name: value for name, value in body.items() if value is not None})
    assert re.search(message, check_envelope(answer, 400 if code != "model_not_found" else 404, code, param))


def test_job_echoes_what_it_was_given(client, file):
    job = client.fine_tuning.jobs.create(
        model="tiny",
        training_file=file.id,
        suffix="Shop_1",
        metadata={"a": "b"},
        seed=2147483647,
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}},
    )
    assert job.hyperparameters.to_dict() == {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": "auto"}
    assert (job.seed, job.metadata, job.method.type) == (2147483647, {"a": "b"}, "supervised")
    assert (job.status, job.result_files, job.organization_id) == ("validating_files", [], "org-ours")
    assert 0 <= client.fine_tuning.jobs.create(model="tiny", training_file=file.id).seed < 2**31


def test_what_nothing_is_done_with_is_not_passed_over_in_silence(client, file):
    job = client.fine_tuning.jobs.create(
        model="tiny",
        training_file=file.id,
        integrations=[{"type": "wandb", "wandb": {"project": "p"}}],
        method={"type": "supervised", "dpo": {"hyperparameters": {"beta": 0.1}}},
    )
    told = [event.message for event in client.fine_tuning.jobs.list_events(job.id) if event.level == "warn"]
    assert any("nothing is sent" in message for message in told) and any("method.dpo" in message for message in told)


def test_wrong_state_is_a_400_which_the_client_does_not_retry(client, file):
    job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    with pytest.raises(openai.BadRequestError, match="is validating_files: only a job that is paused") as caught:
        client.fine_tuning.jobs.resume(job.id)
    assert caught.value.code == "invalid_job_state"
    cancelled = client.fine_tuning.jobs.cancel(job.id)
    assert cancelled.status == "cancelled" and client.fine_tuning.jobs.cancel(job.id) == cancelled  # as a retry does
    with pytest.raises(openai.BadRequestError, match="is cancelled: only a job that is queued or running"):
        client.fine_tuning.jobs.pause(job.id)


def test_other_requests_get_the_envelope_too(http):
    unknown = check_envelope(http.get("/v1/embeddings"), 404, "unknown_url")
    assert "no GET /v1/embeddings here" in unknown and "ends in /v1" not in unknown
    assert "ends in /v1" in check_envelope(http.get("/files"), 404, "unknown_url")
    answer = http.put("/v1/files")
    assert "no PUT /v1/files here" in check_envelope(answer, 405, "unknown_url") and answer.headers["allow"]
    check_envelope(http.get("/v1/files/file-none"), 404, None, "id")
    check_envelope(http.get("/v1/fine_tuning/jobs/ftjob-none/events"), 404, None, "id")
    check_envelope(http.get("/v1/fine_tuning/jobs?after=none"), 400, "invalid_value", "after")
    check_envelope(http.get("/v1/fine_tuning/jobs?limit=101"), 400, "invalid_value", "limit")
    as_json = {"content-type": "application/json"}
    check_envelope(http.post("/v1/fine_tuning/jobs", content="{", headers=as_json), 400)
    check_envelope(http.post("/v1/fine_tuning/jobs", json=[]), 400, "invalid_value", "body")
    check_envelope(
        http.post("/v1/chat/completions", json={"model": "tiny", "messages": []}), 400, "invalid_value", "messages"
    )
    half = {"model": "tiny", "messages": [{"role": "user", "content": "\ud800"}]}
    check_envelope(
        http.post("/v1/chat/completions", content=json.dumps(half), headers=as_json),
        400,
        "invalid_value",
        "messages.0.content",
    )


def test_a_fault_of_the_service_is_an_envelope_without_its_secrets(app, http, monkeypatch):
    monkeypatch.setattr(app.state.store, "all", lambda *args: 1 / 0)
    message = check_envelope(http.get("/v1/models"), 500)
    assert "req_" in message and "division" not in message


# --- Messages and what is not built ----------------------------------------------------------------------------------


def chat_body(**more):
    return {"model": "tiny", "messages": CHATS[0]["messages"][:2], "max_tokens": 2} | more


def test_a_reply_goes_back_as_a_message(client):
    messages = [{"role": "user", "content": "Hello?"}]
    for _ in range(2):
        reply = client.chat.completions.create(model="tiny", messages=messages, max_tokens=2)
        messages += [reply.choices[0].message, {"role": "user", "content": "And?"}]
        messages += [{**reply.choices[0].message.model_dump(), "annotations": []}]
        assert reply.choices[0].message.model_fields_set == {"role", "content", "refusal"}  # as OpenAI sends it


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "?"}]}],
        [{"role": "assistant", "content": None, "refusal": "No."}, {"role": "user", "content": "Why?", "name": None}],
        [
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
        [
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "1"}]},
        ],
    ],
)
def test_documented_messages_are_read_as_in_training(app, http, messages, monkeypatch):
    seen = []
    monkeypatch.setattr(chat, "plain_messages", lambda given: seen.extend(plain_messages(given)) or seen)
    assert http.post("/v1/chat/completions", json=chat_body(messages=messages)).status_code == 200
    assert seen == plain_messages(messages) and all(message["content"] for message in seen)


def test_what_asks_for_nothing_is_taken(http):
    assert set(schemas.ChatRequest.not_built) < set(CompletionCreateParamsBase.__annotations__)
    for name, values in schemas.ChatRequest.not_built.items():
        for value in (None, *values):
            answer = http.post("/v1/chat/completions", json=chat_body(**{name: value}))
            assert answer.status_code == 200, answer.text
    harmless = {"user": "a", "safety_identifier": "a", "prediction": {}, "top_p": 0, "seed": -1, "stop": None}
    assert http.post("/v1/chat/completions", json=chat_body(**harmless, prompt_cache_key="a")).status_code == 200
    ours = schemas.ChatRequest.model_fields.keys() | schemas.ChatRequest.not_built.keys()
    assert set(CompletionCreateParamsBase.__annotations__) - ours == set()


@pytest.mark.parametrize(
    ("change", "param", "message"),
    [
        ({"n": 2}, "n", "'n' is not built here: leave it out"),
        ({"tools": [{"type": "function"}]}, "tools", "not built here"),
        ({"response_format": {"type": "json_object"}}, "response_format", "not built here"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages.0.audio", "not built here"),
    ],
)
def test_what_is_not_built_is_called_so(http, change, param, message):
    answer = http.post("/v1/chat/completions", json=chat_body(**change))
    assert message in check_envelope(answer, 400, "unsupported_parameter", param)


@pytest.mark.parametrize(
    ("content", "param", "message"),
    [
        ([{"type": "image_url", "image_url": {"url": "x"}}], "messages.0.content.0", "image_url is not built here"),
        ([{"type": "text"}], "messages.0.content.0", "has its text in the field 'text'"),
        ([{"type": "text", "text": "x", "colour": 1}], "messages.0.content.0.colour", "Unknown"),
        (7, "messages.0.content", "valid string"),
    ],
)
def test_a_part_that_is_wrong_is_named(http, content, param, message):
    answer = http.post("/v1/chat/completions", json=chat_body(messages=[{"role": "user", "content": content}]))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param) and message in error["message"], error


def test_null_hyperparameters_are_chosen(client, file):
    job = client.fine_tuning.jobs.create(
        model="tiny", training_file=file.id, hyperparameters={"n_epochs": None, "batch_size": 2}, suffix=None
    )
    assert job.hyperparameters.to_dict() == {"n_epochs": "auto", "batch_size": 2, "learning_rate_multiplier": "auto"}


# --- Answers that end early ------------------------------------------------------------------------------------------


def test_an_answer_that_a_stop_ends_has_tokens(client):
    ask = {"model": "tiny", "messages": CHATS[0]["messages"][:2], "temperature": 0}
    text = client.chat.completions.create(**ask, max_tokens=20).choices[0].message.content
    whole = client.chat.completions.create(**ask, max_tokens=100, stop=text[5:8])
    assert 0 < whole.usage.completion_tokens < 100 and whole.choices[0].finish_reason == "stop"
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *_, last = client.chat.completions.create(**ask, max_tokens=100, stop=text[5:8], **options)
    assert last.usage.completion_tokens > 0 and last.usage.total_tokens > last.usage.prompt_tokens


def test_each_token_is_handed_on_as_soon_as_it_is_text(tiny_llama):
    """A text without spaces, too: else a stop sequence would be met long after it was written."""
    import torch
    from transformers import AutoTokenizer

    tokenizer, pieces = AutoTokenizer.from_pretrained(tiny_llama), []
    streamer, text = chat._streamer(tokenizer, pieces.append), "Un,deux;trois\n\nquatre \U0001f33f fin"
    ids = tokenizer(text)["input_ids"]
    for value in ([[1, 2, 3]], *([id] for id in ids), [tokenizer.eos_token_id]):
        streamer.put(torch.tensor(value))
    streamer.end()
    assert "".join(pieces) == text and len(pieces) > 8 and not any("\ufffd" in piece for piece in pieces)


@pytest.fixture
def endless(app, monkeypatch):
    """A model that writes until it is told to stop; the list has what it was told to end."""
    ended = []

    def generate(reply, model, tokenizer):
        reply._put("Word ")
        ended.append("waiting")
        ended[-1] = reply.stopped.wait(60)

    monkeypatch.setattr(chat.Reply, "generate", generate)
    monkeypatch.setattr(app.state.engine, "_use", lambda base, folder: (None, None))
    return ended


def wait_until(check):
    for _ in range(600):
        if check():
            return
        threading.Event().wait(0.05)
    raise AssertionError("waited in vain")


@pytest.mark.parametrize("stream", [False, True])
def test_who_gives_up_leaves_the_model_free(url, endless, stream):
    ask = {"model": "tiny", "messages": CHATS[0]["messages"], "stream": stream}

    def give_up(seconds):
        with pytest.raises(openai.APITimeoutError):
            list(ask_for(connect(url).with_options(max_retries=0, timeout=seconds), ask))

    first = threading.Thread(target=give_up, args=(1.5,))
    first.start()
    wait_until(lambda: endless)
    give_up(0.2)  # while it waits for its turn
    first.join(30)
    wait_until(lambda: "waiting" not in endless)
    assert endless == [True]  # the other one never began


def ask_for(client, ask):
    answer = client.chat.completions.create(**ask)
    yield from answer if ask["stream"] else [answer]


@pytest.mark.parametrize("stream", [False, True])
def test_the_end_of_the_service_ends_its_answers(tmp_path, tiny_llama, monkeypatch, endless, stream):
    settings = load_settings(tmp_path, {"tiny": str(tiny_llama)})
    app = create_app(settings)
    monkeypatch.setattr(app.state.engine, "_use", lambda base, folder: (None, None))
    with run_app(app) as url:
        client = connect(url, next(iter(settings.keys))).with_options(max_retries=0)
        ask = {"model": "tiny", "messages": CHATS[0]["messages"], "stream": stream}
        threading.Thread(target=lambda: [wait_until(lambda: endless), app.state.engine.stop()]).start()
        with pytest.raises(openai.APIError, match="The service is stopping"):
            list(ask_for(client, ask))
    wait_until(lambda: endless == [True])


# --- Keys, organisations, limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer sk-our", "Bearer sk-ours2", "Basic sk-ours", "Bearer sk-öurs".encode()]
)
def test_every_route_asks_for_the_key(app, url, header):
    asked = [(method, path) for path, operations in app.openapi()["paths"].items() for method in operations]
    assert len(asked) == 17 and all(path.startswith("/v1") for _, path in asked)
    with httpx2.Client(base_url=url, headers={"Authorization": header} if header else {}) as http:
        for method, path in asked:
            answer = http.request(method.upper(), re.sub(r"\{.*?\}", "x", path), json={})
            check_envelope(answer, 401, "invalid_api_key")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"host": "127.0.0.1:1"}, 401, "invalid_api_key"),
        ({"host": "evil.example:1"}, 403, "host_not_allowed"),
        ({}, 403, "host_not_allowed"),
        ({"host": "localhost", "origin": "http://evil.example"}, 403, "origin_not_allowed"),
        ({"host": "localhost", "origin": "null"}, 403, "origin_not_allowed"),
    ],
)
def test_who_may_not_ask_costs_nothing(app, headers, status, code):
    """Not a byte of the body is read, on whatever path it comes."""
    headers = headers | ({"authorization": "Bearer sk-ours"} if status == 403 else {})
    for path in ("/v1/files", "/v1/nothing"):
        sent = []

        async def receive():
            raise AssertionError("the body was read")

        async def send(message, sent=sent):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "server": ("127.0.0.1", 1)}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        asyncio.run(app(scope | {"headers": raw}, receive, send))
        assert sent[0]["status"] == status and json.loads(sent[1]["body"])["error"]["code"] == code


def test_this_machine_and_a_name_that_was_given_may_ask(tmp_path):
    settings = load_settings(tmp_path, {"tiny": "."})
    key = (b"authorization", f"bearer {next(iter(settings.keys))}".encode())

    def ask(**headers):
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        admit({"type": "http", "path": "/v1/models", "headers": [*raw, key]}, settings)

    for host in ("localhost:8321", "127.0.0.1", "[::1]:8321", "127.1.2.3:1"):
        ask(host=host, origin="http://localhost:8888")
    settings.host = "mine.local"
    ask(host="mine.local:8321", origin="http://mine.local:8321")
    settings.host = "0.0.0.0"
    ask(host="any.example")
    with pytest.raises(ApiError, match=r"Pages of 'http://evil.example' may not"):
        ask(host="any.example", origin="http://evil.example")


def test_keys_are_compared_in_constant_time_and_all_of_them(app, http, monkeypatch):
    compared, compare = [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *pair: compared.append(pair) or compare(*pair))
    http.get("/v1/models")
    assert [known for known, _ in compared] == [key.encode() for key in KEYS]


def test_first_start_makes_a_key_that_only_its_owner_reads(tmp_path):
    settings = load_settings(tmp_path / "home")
    (key,) = settings.keys
    assert re.fullmatch(r"sk-local-\S{32}", key) and load_settings(tmp_path / "home").keys == settings.keys
    assert (settings.home / "keys.json").stat().st_mode & 0o077 == 0 and settings.home.stat().st_mode & 0o077 == 0
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    Store(load_settings(theirs).home)
    assert theirs.stat().st_mode & 0o777 == 0o755  # it was there, and may hold other things
    assert {path.name for path in theirs.iterdir() if path.stat().st_mode & 0o077} <= {"service.json"}
    (settings.home / "keys.json").write_text("[]")
    with pytest.raises(CourseError, match="keys.json must hold"):
        load_settings(settings.home)


@pytest.mark.parametrize("models", ["smollm2", '["a"]', "{}", '{"tiny": 1}', "null"])
def test_base_models_that_are_none_are_named(tmp_path, monkeypatch, models):
    monkeypatch.setenv("FTCOURSE_SERVICE_MODELS", models)
    with pytest.raises(CourseError, match="FTCOURSE_SERVICE_MODELS must hold .*write it like"):
        load_settings(tmp_path)
    assert load_settings(tmp_path, {"tiny": "folder"}).models == {"tiny": "folder"}
    with pytest.raises(CourseError, match="The argument models must hold"):
        load_settings(tmp_path, ["tiny"])


def test_organisations_do_not_see_each_other(app, url, client, file):
    job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    store = app.state.store
    store.add(
        "model",
        {"id": "ft:tiny:ours", "object": "model", "created": 1, "owned_by": "org-ours"},
        "org-ours",
        private={"base": "tiny", "folder": "models/none"},
    )
    same, other = connect(url, "sk-also-ours"), connect(url, "sk-theirs")
    assert same.files.content(file.id).text == jsonl(CHATS).decode() and same.models.retrieve("ft:tiny:ours")
    assert not list(other.files.list()) and not list(other.fine_tuning.jobs.list())
    assert [model.id for model in other.models.list()] == ["tiny"]
    for attempt in (
        lambda: other.files.retrieve(file.id),
        lambda: other.files.content(file.id),
        lambda: other.files.delete(file.id),
        lambda: other.fine_tuning.jobs.retrieve(job.id),
        lambda: other.fine_tuning.jobs.cancel(job.id),
        lambda: other.fine_tuning.jobs.pause(job.id),
        lambda: other.fine_tuning.jobs.list_events(job.id),
        lambda: other.models.delete("ft:tiny:ours"),
        lambda: other.fine_tuning.jobs.checkpoints.list(job.id),
        lambda: other.models.retrieve("ft:tiny:ours"),
        lambda: other.chat.completions.create(model="ft:tiny:ours", messages=CHATS[0]["messages"]),
    ):
        with pytest.raises(openai.NotFoundError):
            attempt()
    with pytest.raises(openai.BadRequestError, match="No such File object"):
        other.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    with pytest.raises(openai.BadRequestError, match="There is no object"):
        other.files.list(after=file.id)
    assert client.files.retrieve(file.id) and client.fine_tuning.jobs.retrieve(job.id).status == "validating_files"


@pytest.mark.parametrize(
    "path",
    [
        "../keys.json",
        "..%2fkeys.json",
        "%2e%2e%2fkeys.json",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "service.sqlite3",
        "file-x%00",
    ],
)
def test_no_path_from_a_client_reaches_the_file_system(http, file, path):
    for route in (
        "/v1/files/{}/content",
        "/v1/files/{}",
        "/v1/models/{}",
        "/v1/fine_tuning/jobs/{}",
        "/{}",
        "/docs/{}",
    ):
        answer = http.get(route.format(path))
        assert answer.status_code in (404, 405) and "sk-ours" not in answer.text and "root:" not in answer.text


def test_names_of_files_are_only_text(app, client):
    file = client.files.create(file=("../../<b>evil</b>.jsonl", b"{}"), purpose="fine-tune")
    assert app.state.store.content(file.id).read_bytes() == b"{}"
    assert {path.name for path in app.state.store.home.iterdir()} <= {
        "files",
        "jobs",
        "models",
        "keys.json",
        "service.sqlite3",
        "service.sqlite3-wal",
        "service.sqlite3-shm",
    }


def test_too_large_a_request_is_refused_while_it_is_read(app, http):
    before = {path.name for path in (app.state.store.home / "files").iterdir()}
    answer = http.post("/v1/files", files={"file": ("f", b"x" * 150_000)}, data={"purpose": "fine-tune"})
    assert "larger than 100,000 bytes" in check_envelope(answer, 413, "request_too_large")
    assert {path.name for path in (app.state.store.home / "files").iterdir()} == before
    check_envelope(http.post("/v1/chat/completions", content=b'{"model": "' + b"x" * 300_000), 413, "request_too_large")


def test_an_endless_request_is_not_read_to_its_end():
    """No length is announced: what counts is what has come."""
    read, sent = 0, []

    async def application(scope, receive, send):
        while (await receive())["more_body"]:
            pass

    async def receive():
        nonlocal read
        read += 1000
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(application, lambda scope: 10_000)({"type": "http"}, receive, send))
    assert read == 11_000 and sent[0]["status"] == 413


def test_loopback_is_the_default_and_the_rest_is_warned_about(app, tmp_path):
    assert inspect.signature(serve.serve).parameters["host"].default == "127.0.0.1"
    for host, local in (
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("a.example", False),
    ):
        said = []
        serve._greet(app.state.settings, host, f"http://{host}:1/v1", said.append)
        assert any("without encryption" in line for line in said) != local, host
        assert "  export OPENAI_API_KEY=sk-ours" in said
    with serve._listen("127.0.0.1", 0) as taken, pytest.raises(CourseError, match="port 0`, which takes a free one"):
        serve._listen("127.0.0.1", taken.getsockname()[1])


def test_only_safe_weights_are_loaded(tmp_path, tiny_llama, monkeypatch):
    """A pickle, which runs code when it is read, is never taken for a model."""
    for path in tiny_llama.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(OSError, match="safetensors"):
        chat.load_base(str(tmp_path))


def test_closed_organisation(tmp_path, tiny_llama):
    settings = load_settings(tmp_path, {"tiny": str(tiny_llama)}, closed_organisation=True)
    with run_app(create_app(settings)) as url:
        client = connect(url, next(iter(settings.keys)))
        file = client.files.create(file=jsonl(CHATS), purpose="fine-tune")
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    assert (caught.value.code, caught.value.status_code) == ("training_not_available", 403)


def test_files_expire(client, monkeypatch):
    file = client.files.create(file=b"x", purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600})
    assert 0 <= file.expires_at - file.created_at - 3600 <= 1 and client.files.retrieve(file.id)
    with pytest.raises(openai.BadRequestError, match="user_data"):
        client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    later = file.expires_at
    with monkeypatch.context() as patch:
        patch.setattr(dependencies, "now", lambda: later)
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
    expires = {"anchor": "created_at", "seconds": 3600}
    for_training = client.files.create(file=jsonl(CHATS), purpose="fine-tune", expires_after=expires)
    monkeypatch.setattr(dependencies, "now", lambda: later + 60)
    with pytest.raises(openai.BadRequestError, match=f"invalid training_file: No such File object: {for_training.id}"):
        client.fine_tuning.jobs.create(model="tiny", training_file=for_training.id)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({}, "purpose", "missing_required_parameter"),
        ({"purpose": "training"}, "purpose", "invalid_value"),
        ({"purpose": "fine-tune", "colour": "red"}, "colour", "unknown_parameter"),
        (
            {"purpose": "fine-tune", "expires_after[anchor]": "created_at"},
            "expires_after[seconds]",
            "missing_required_parameter",
        ),
        (
            {"purpose": "fine-tune", "expires_after[seconds]": "3600"},
            "expires_after[anchor]",
            "missing_required_parameter",
        ),
        ({"purpose": "fine-tune", "expires_after[seconds]": "1"}, "expires_after[seconds]", "invalid_value"),
    ],
)
def test_faulty_uploads_are_refused_by_name(http, fields, param, code):
    check_envelope(http.post("/v1/files", files={"file": ("f", b"x")}, data=fields), 400, code, param)


def test_any_suffix_stands_in_the_name(app, client, file):
    for suffix, part in (("My shop / 1:2", "My-shop-1-2"), ("../up", "..-up"), ("Käse", "Käse"), ("::", "")):
        job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id, suffix=suffix)
        assert job.user_provided_suffix == suffix
        assert app.state.store.job(job.id).private["name"].startswith(f"ft:tiny:org-ours:{part}:")


def test_a_page_of_nothing_has_no_more(client, file):
    assert not client.files.list(limit=0).has_more and client.files.list(limit=1).data


def test_a_checkpoint_goes_with_its_model(app, client, file):
    """A job that was created with it keeps its own copy."""
    store = app.state.store
    first = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
    folder = store.job_folder(first.id) / "checkpoints" / "step-1"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    private = {"base": "tiny", "folder": folder.relative_to(store.home).as_posix(), "job": first.id}
    store.add("model", {"id": "ft:c", "object": "model", "created": 1, "owned_by": "org-ours"}, "org-ours", "", private)
    for number, name in enumerate(("ft:c", "ft:d")):
        checkpoint = {"id": f"ftckpt_{number}", "object": "fine_tuning.job.checkpoint", "created_at": 1, "metrics": {}}
        named = {"fine_tuned_model_checkpoint": name, "fine_tuning_job_id": first.id, "step_number": 1}
        store.add("checkpoint", checkpoint | named, "org-ours", first.id)
    second = client.fine_tuning.jobs.create(model="ft:c", training_file=file.id)
    assert client.models.delete("ft:c").deleted and not folder.exists()
    assert [one.id for one in client.fine_tuning.jobs.checkpoints.list(first.id)] == ["ftckpt_1"]
    copy = store.home / store.job(second.id).private["adapter"]
    assert (copy / "adapter_config.json").read_text() == "{}"
    client.fine_tuning.jobs.cancel(second.id)
    assert not copy.exists() and not store.job_files(second.id)  # what only its training needed


# --- A full disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [OSError, sqlite3.OperationalError])
def test_a_full_disk_is_named(app, client, monkeypatch, kind):
    error = kind(errno.ENOSPC, "No space left on device")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL

    def fail(*args):
        raise error

    monkeypatch.setattr(app.state.store, "add_file", fail)
    with pytest.raises(openai.InternalServerError, match="The disk is full, so nothing was kept: delete files"):
        client.with_options(max_retries=0).files.create(file=b"x", purpose="user_data")


def test_deleting_makes_room_first(app, client, file, monkeypatch):
    """Where the disk is full, the row can only be deleted when the content has gone."""
    store = app.state.store
    monkeypatch.setattr(store, "delete", lambda *args: 1 / 0)
    with pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=0).files.delete(file.id)
    assert not store.content(file.id).exists()
    monkeypatch.undo()
    assert client.files.delete(file.id).deleted
    assert (store.home / "service.sqlite3-shm").exists()  # a full disk has no room for a new one


# --- Pages, documentation --------------------------------------------------------------------------------------------


def test_pages_hold_no_data_and_load_nothing_from_elsewhere(http, file):
    for path in ("/", "/docs"):
        page = httpx2.get(f"{http.base_url}{path}")
        assert page.status_code == 200 and "default-src 'none'" in page.headers["content-security-policy"]
        assert file.id not in page.text and "sk-ours" not in page.text
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text) and "<html lang=" in page.text
    docs = httpx2.get(f"{http.base_url}/docs").text
    for call in ("POST /v1/files", "POST /v1/fine_tuning/jobs/{id}/cancel", "DELETE /v1/models/{model}"):
        assert call in docs
    schema = httpx2.get(f"{http.base_url}/openapi.json").json()
    assert all(
        "401" in operation["responses"] and operation["description"] and "Args:" not in operation["description"]
        for path in schema["paths"].values()
        for operation in path.values()
    )


# --- Store -----------------------------------------------------------------------------------------------------------


def test_store_does_all_or_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(ZeroDivisionError), store.transaction():
        store.add("file", {"id": "a"}, "org")
        raise ZeroDivisionError
    assert store.get("file", "a") is None
    with store.transaction():
        store.add("job", {"id": "j", "status": "queued"}, "org")
        assert store.update("job", "j", expect=("queued",), status="running")
    assert not store.update("job", "j", expect=("queued",), status="paused")
    assert not store.update("job", "none", status="paused")
    assert Store(tmp_path).get("job", "j").object["status"] == "running"


def test_only_one_of_many_claims_the_trainer(tmp_path):
    store = Store(tmp_path)
    ids = [new_id("ftjob-") for _ in range(12)]
    for id in ids:
        store.add("job", {"id": id, "status": "queued"}, "org")
    won, start = [], threading.Barrier(len(ids))

    def claim(id):
        start.wait()
        if states.start(store, id):
            won.append(id)

    threads = [threading.Thread(target=claim, args=(id,)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(won) == 1
    assert [row.id for row in store.all("job") if row.object["status"] == "running"] == won


# --- Trainers --------------------------------------------------------------------------------------------------------


@pytest.fixture
def job(tmp_path, tiny_llama):
    """A store with one job that is ready to be trained."""
    store = Store(tmp_path)
    job = {
        "id": "ftjob-1",
        "status": "running",
        "seed": 0,
        "hyperparameters": {"n_epochs": 1, "batch_size": 4, "learning_rate_multiplier": 1.0},
        "error": None,
    }
    store.add(
        "job",
        job,
        "org",
        private={"source": str(tiny_llama), "adapter": None, "name": "ft:tiny:org::1", "base": "tiny", "attempts": 0},
    )
    store.job_folder("ftjob-1").mkdir()
    (store.job_folder("ftjob-1") / "training_file.jsonl").write_bytes(jsonl(CHATS))
    return store


def test_bad_lines_are_named(job):
    training, validation = (
        job.job_folder("ftjob-1") / f"{name}.jsonl" for name in ("training_file", "validation_file")
    )
    validation.write_bytes(jsonl(CHATS[4:6]))
    with pytest.raises(states.JobError, match="2 example.* of the validation file .*the first in line 1") as caught:
        validate(job, "ftjob-1")
    assert (caught.value.error["code"], caught.value.error["param"]) == ("invalid_validation_file", "validation_file")
    for nothing in (b"", b"\n\n"):
        validation.write_bytes(nothing)
        with pytest.raises(states.JobError, match="must have at least 1 example") as caught:
            validate(job, "ftjob-1")
        assert caught.value.error["code"] == "invalid_validation_file"
        assert caught.value.error["param"] == "validation_file"
    training.write_bytes(jsonl([*CHATS[:10], {"messages": [{"role": "user", "content": "?"}]}]))
    with pytest.raises(states.JobError, match="Line 11") as caught:
        validate(job, "ftjob-1")
    assert (caught.value.error["code"], caught.value.error["param"]) == ("invalid_training_file", "training_file")


def test_training_without_a_step_is_a_failure(job, monkeypatch):
    from types import SimpleNamespace

    from ftcourse import lora

    monkeypatch.setattr(
        lora, "fine_tune", lambda *args, **options: SimpleNamespace(state=SimpleNamespace(global_step=0))
    )
    monkeypatch.setattr(worker, "_end_with_parent", lambda: None)
    monkeypatch.setattr(worker.os, "nice", lambda by: None)
    worker.main(job.home, "ftjob-1")
    found = job.get("job", "ftjob-1").object
    assert (found["status"], found["error"]["code"]) == ("failed", "no_training_step")
    assert not job.all("model")


def train_here(job, monkeypatch):
    """Let the trainer work in this process; return the job and the steps that were told."""
    monkeypatch.setattr(worker, "_end_with_parent", lambda: None)
    monkeypatch.setattr(worker.os, "nice", lambda by: None)
    worker.main(job.home, "ftjob-1")
    return job.job("ftjob-1").object, [row.object["data"] for row in job.all("event") if row.object["data"]]


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_no_number_fails_the_job_and_leaves_no_model(job, monkeypatch, where):
    from ftcourse import lora

    compute, steps = lora.labelled_loss, []

    def spoil(model, *args, **options):
        loss, counts = compute(model, *args, **options)
        steps.append(model.training)
        if where == "gradient" and len(steps) > 4:  # of the last step: no loss tells it any more
            loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss * (float("nan") if where == "loss" and len(steps) > 4 else 1), counts

    monkeypatch.setattr(lora, "labelled_loss", spoil)
    found, told = train_here(job, monkeypatch)
    assert (found["status"], found["error"]["code"]) == ("failed", "loss_not_finite")
    assert "became nan at step 3. Try a smaller learning_rate_multiplier" in found["error"]["message"]
    assert [step["step"] for step in told] == [1, 2] and not job.all("model") and not job.all("checkpoint")


def test_an_assistant_that_speaks_first_is_trained_on(job, monkeypatch):
    greeting = {"messages": [{"role": "assistant", "content": "Welcome!"}, *CHATS[0]["messages"][1:]]}
    (job.job_folder("ftjob-1") / "training_file.jsonl").write_bytes(jsonl([*CHATS, greeting]))
    found, told = train_here(job, monkeypatch)
    assert (found["status"], found["error"]) == ("succeeded", None) and len(told) == 4


def test_the_system_message_of_a_template(tiny_llama):
    from transformers import AutoTokenizer

    from ftcourse.server.training import default_system

    tokenizer = AutoTokenizer.from_pretrained(tiny_llama)
    default, asked = default_system(tokenizer), CHATS[0]["messages"][1:2]
    assert "SmolLM" in default[0]["content"]
    assert tokenizer.apply_chat_template(default + asked) == tokenizer.apply_chat_template(asked)
    tokenizer.chat_template = "{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}"
    assert default_system(tokenizer) == []


def test_trainer_that_keeps_dying_fails_its_job(tmp_path, tiny_llama):
    settings = load_settings(tmp_path, {"tiny": str(tiny_llama)}, preload=False, trainer="no_such_module")
    app = create_app(settings)
    with run_app(app, lifespan="on") as url:
        client = connect(url, next(iter(settings.keys)))
        file = client.files.create(file=jsonl(CHATS), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(model="tiny", training_file=file.id)
        ended = threading.Event()
        for _ in range(600):
            job = client.fine_tuning.jobs.retrieve(job.id)
            if job.status == "failed" or ended.wait(0.1):
                break
    assert (job.status, job.error.code) == ("failed", "trainer_died")
    assert "exit code 1, 3 times" in job.error.message and "trainer.log" in job.error.message
    assert "no_such_module" in (app.state.store.job_folder(job.id) / "trainer.log").read_text()
