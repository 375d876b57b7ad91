"""Lesson 2's helpers for jobs: who may see the data, waiting, result files; the lesson's calls against the service."""

import base64
import contextlib
import http.server
import json
import os
import threading
from types import SimpleNamespace

import pandas as pd
import pytest
from full_profile import run_at_full
from hypothesis import given
from hypothesis import strategies as st
from service_chats import CHATS

from ftcourse import chat_data, jobs, machine, profiles, records, studies
from ftcourse.errors import CourseError
from ftcourse.server import Service, start_service, use_service

# --- Who may see the data --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_is_loopback(host):
    assert machine.is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "api.openai.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "0.0.0.0",
        "10.0.0.1",
        "::",
        "",
        None,
        "2130706433",
    ],
)
def test_other_machines_are_not_loopback(host):
    assert not machine.is_loopback(host)


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        (None, "api.openai.com"),
        ("https://api.openai.com/v1", "api.openai.com"),
        ("https://127.0.0.1@evil.example/v1", "evil.example"),
        ("https://localhost.evil.example/v1", "localhost.evil.example"),
        ("http://10.0.0.1:8000/v1", "10.0.0.1"),
        ("http://0.0.0.0:8000/v1", "0.0.0.0"),
    ],
)
def test_another_machine_is_refused_unless_it_is_named(base_url, host):
    with pytest.raises(CourseError, match=f"your data would go to {host}.*say allow_host='{host}'"):
        jobs.connect(base_url, "a real key")
    with pytest.raises(CourseError, match=f"your data would go to {host}"):
        jobs.connect(base_url, "a real key", allow_host="other.example")
    assert jobs.connect(base_url, "a real key", allow_host=host).base_url.host == host


def test_a_forgotten_variable_is_no_way_out(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "a real key")
    for call in (jobs.connect, jobs.open_service):
        with pytest.raises(CourseError, match="would go to api.openai.com"):
            call()


def address(call, **arguments):
    client = call(**arguments)
    return str((client[0] if call is jobs.open_service else client).base_url)


@pytest.mark.parametrize("call", [jobs.connect, jobs.open_service])
def test_an_explicit_address_comes_before_the_variable(monkeypatch, call):
    for variable in ("http://127.0.0.1:2/v1", "https://api.openai.com/v1"):
        monkeypatch.setenv("OPENAI_BASE_URL", variable)
        assert address(call, base_url="http://127.0.0.1:1/v1") == "http://127.0.0.1:1/v1/"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:2/v1")
    with pytest.raises(CourseError, match="would go to api.openai.com"):  # and not to the variable's service
        call(base_url="https://api.openai.com/v1")


@pytest.mark.parametrize("call", [jobs.connect, jobs.open_service])
def test_the_variable_comes_before_the_default(monkeypatch, call):
    monkeypatch.setattr("ftcourse.server.find_service", lambda: pytest.fail("looked for a service of this machine"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:2/v1")
    assert address(call) == address(call, base_url=None) == "http://127.0.0.1:2/v1/"


def test_the_default_of_connect_is_openai():
    assert address(jobs.connect, allow_host="api.openai.com") == "https://api.openai.com/v1/"


def test_without_any_address_a_service_of_this_machine_is_found_or_started(monkeypatch):
    """What profile `local` asks for with None; a variable that is empty counts as not set."""
    here = Service("http://127.0.0.1:3/v1", "sk-here", process=object())
    running, homes = [Service("http://127.0.0.1:3/v1", "sk-here")], []
    monkeypatch.setattr("ftcourse.server.find_service", lambda: running.pop() if running else None)
    monkeypatch.setattr("ftcourse.server.start_service", lambda home: homes.append(home) or here)
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    client, service = jobs.open_service(profiles.load_profile("02", "local").base_url, home="build")
    assert (str(client.base_url), client.api_key, service, homes) == ("http://127.0.0.1:3/v1/", "sk-here", None, [])
    client, service = jobs.open_service(None, home="build")
    assert (str(client.base_url), service, homes) == ("http://127.0.0.1:3/v1/", here, ["build"])


@pytest.mark.parametrize(
    "base_url",
    ["http:///v1", "127.0.0.1:80/v1", "http://127.0.0.1:80:80/v1", "http:// /v1", "http://127.0.0.1\\@evil.example/v1",
     "http://evil.example#@127.0.0.1/v1", "http://127.0.0.1%2eevil.example/v1", "http://١٢٧.0.0.1/v1"],
)  # fmt: skip
def test_what_only_looks_like_this_machine_is_refused(base_url):
    with pytest.raises(CourseError):
        jobs.connect(base_url, "a real key")


@pytest.mark.parametrize("base_url", ["localhost:8321/v1", "127.0.0.1:8321/v1", "api.openai.com/v1"])
@pytest.mark.parametrize("call", [jobs.connect, use_service])
def test_an_address_without_its_scheme_is_named(base_url, call):
    """The usual slip: the message says what to write, and not that data would go to nowhere."""
    with pytest.raises(CourseError, match=f"begin it with http:// or https://, as http://{base_url}\\.$"):
        call(base_url)


def test_a_service_elsewhere_on_this_machine_is_used_with_the_key_of_the_variable(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:2/v1")
    assert use_service() == Service("http://127.0.0.1:2/v1", "no-key")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    service = use_service()
    assert service == Service("http://127.0.0.1:2/v1", "sk-mine") and service.process is None
    service.stop()  # it isn't ours: nothing is done
    with pytest.raises(CourseError, match="would go to api.openai.com"):
        use_service("https://api.openai.com/v1", home="build")
    assert use_service("https://api.openai.com/v1", "api.openai.com").base_url == "https://api.openai.com/v1"


def test_a_proxy_does_not_carry_local_requests(monkeypatch):
    """With HTTP_PROXY set, the client would send requests for 127.0.0.1 to the proxy, wherever that is."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"object": "list", "data": []}')

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
    client, service = jobs.open_service()
    assert list(client.models.list()) == [] and service is None
    assert asked == [("/v1/models", "Bearer sk-local")]
    server.shutdown()
    server.server_close()


# --- Waiting ---------------------------------------------------------------------------------------------------------


def event(id, message="", data=None):
    return SimpleNamespace(id=id, message=message, type="metrics" if data else "message", data=data)


def step(number, loss, total=4):
    return event(f"step-{number}-{loss}", data={"step": number, "total_steps": total, "train_loss": loss})


class Client:
    """Stands for the client: each look at the job shows the next state, with the events that have come since."""

    def __init__(self, *states):
        self.states, self.events, self.fetched = list(states), [], 0
        self.fine_tuning = SimpleNamespace(jobs=self)

    def retrieve(self, job_id):
        status, new, *error = self.states.pop(0)
        self.events = [*reversed(new), *self.events]
        return SimpleNamespace(id=job_id, status=status, error=error[0] if error else None)

    def list_events(self, job_id, limit):
        assert limit == 100
        for found in self.events:
            self.fetched += 1
            yield found


def test_waiting_draws_each_step_once_and_takes_the_newest_after_a_restart():
    client = Client(
        ("validating_files", [event("created")]), ("running", [step(1, 4.0), step(2, 3.0)]), ("running", []),
        ("running", [event("restarted"), step(2, 2.9), step(3, 2.0)]), ("succeeded", [step(4, 1.0), event("done")]),
    )  # fmt: skip
    drawn = []
    job = jobs.wait_for_job(client, "ftjob-1", drawn.append, poll=0)
    assert job.status == "succeeded" and client.states == []
    losses = [[(data["step"], data["train_loss"]) for data in steps] for steps in drawn]
    assert losses == [[(1, 4.0), (2, 3.0)], [(1, 4.0), (2, 2.9), (3, 2.0)], [(1, 4.0), (2, 2.9), (3, 2.0), (4, 1.0)]]
    assert client.fetched == 8 + 4  # each event once, and one that is known to stop at, but for the first look


def test_a_failed_job_says_why_and_what_to_do():
    error = SimpleNamespace(code="invalid_n_examples", message="It has 7 example(s).", param="training_file")
    with pytest.raises(
        CourseError, match=r"ftjob-1 failed with invalid_n_examples \(parameter training_file\): It has 7.*new job"
    ):
        jobs.wait_for_job(Client(("failed", [], error)), "ftjob-1", poll=0)


def test_a_cancelled_job_is_no_error():
    assert jobs.wait_for_job(Client(("running", []), ("cancelled", [])), "ftjob-1", poll=0).status == "cancelled"


@pytest.mark.timeout(30)
def test_a_paused_job_is_not_waited_for():
    client = Client(("running", [step(1, 4.0)]), ("paused", [event("paused")]))
    with pytest.raises(CourseError, match=r"ftjob-1 is paused.*client\.fine_tuning\.jobs\.resume\('ftjob-1'\)"):
        jobs.wait_for_job(client, "ftjob-1", poll=0)
    client.states = [("queued", []), ("running", [step(2, 3.0)]), ("succeeded", [])]  # it was resumed
    assert jobs.wait_for_job(client, "ftjob-1", poll=0).status == "succeeded"


# --- Result files ----------------------------------------------------------------------------------------------------

CSV = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.5,0.4,,\n2,1.5,0.6,1.75,0.5\n"


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        b"\xef\xbb\xbf" + CSV.encode(),
        base64.b64encode(CSV.encode()),
        base64.encodebytes(CSV.encode()),  # MIME's, in lines
        base64.encodebytes(CSV.encode()).replace(b"\n", b"\r\n"),
    ],
)
def test_result_files_are_read_plain_or_in_base64(content):
    table = jobs.parse_results(content)
    assert table.index.tolist() == [1, 2] and table["train_loss"].tolist() == [2.5, 1.5]
    assert pd.isna(table["valid_loss"][1]) and table["valid_loss"][2] == 1.75


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"no table", b"a,b\n1,2\n", b"step,train_loss\nx,2\n", base64.b64encode(b"\xff")]
)
def test_what_is_no_result_file_is_refused(content):
    with pytest.raises(CourseError, match="This is not a result file"):
        jobs.parse_results(content)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(content):
    with contextlib.suppress(CourseError):
        assert jobs.parse_results(content).index.dtype == int


# --- Against the service, with a tiny model --------------------------------------------------------------------------


@pytest.mark.models
def test_from_the_file_to_the_answer(tmp_path, monkeypatch, tiny_llama):
    """`open_service` starts a service where none runs and finds it again; the calls of the lesson in their order."""
    monkeypatch.setenv("FTCOURSE_SERVICE_HOME", str(tmp_path / "service"))
    monkeypatch.setenv("FTCOURSE_SERVICE_MODELS", json.dumps({"tiny": str(tiny_llama)}))
    client, service = jobs.open_service()
    with service:
        assert jobs.open_service()[1] is None  # it runs already, and is not ours to stop
        file = client.files.create(file=chat_data.write_chat_file(CHATS, tmp_path / "chats.jsonl"), purpose="fine-tune")
        drawn = []
        hyperparameters = {"n_epochs": 2, "batch_size": 6}
        job = client.fine_tuning.jobs.create(
            model="tiny", training_file=file.id, hyperparameters=hyperparameters, seed=0
        )
        job = jobs.wait_for_job(client, job.id, drawn.append, poll=0.1)
        assert job.status == "succeeded" and [data["step"] for data in drawn[-1]] == [1, 2, 3, 4]
        results = jobs.parse_results(client.files.content(job.result_files[0]).read())
        assert results["train_loss"].tolist() == pytest.approx([data["train_loss"] for data in drawn[-1]], abs=1e-4)
        answers = jobs.ask_all(client, job.fine_tuned_model, [CHATS[0]["messages"][:2]] * 2, max_tokens=5)
        assert len(answers) == 2 and answers[0] == answers[1]
        short = client.files.create(
            file=chat_data.write_chat_file(CHATS[:7], tmp_path / "few.jsonl"), purpose="fine-tune"
        )
        job = client.fine_tuning.jobs.create(model="tiny", training_file=short.id)
        with pytest.raises(CourseError, match=r"invalid_n_examples.*has 7 example\(s\), but must have at least 10"):
            jobs.wait_for_job(client, job.id, poll=0.1)


@pytest.mark.models
def test_the_study_writes_records_and_continues(tmp_path, monkeypatch, tiny_llama, capsys):
    monkeypatch.setenv("FTCOURSE_SERVICE_MODELS", json.dumps({"smollm2-135m-instruct": str(tiny_llama)}))
    studies.openai_job(seeds=(5,), profile="smoke", folder=tmp_path)
    (record,) = records.load_records("openai_job", tmp_path)
    assert record["settings"]["seed"] == 5 and record["settings"]["num_training"] == 12
    assert record["settings"]["num_test"] == 2 and record["metrics"]["facts_right"] == 0
    assert record["metrics"]["tokens_per_second"] * record["seconds"] == pytest.approx(
        record["settings"]["trained_tokens"]
    )
    studies.openai_job(seeds=(5,), profile="smoke", folder=tmp_path)
    assert "already done" in capsys.readouterr().out


@pytest.mark.whole_lesson
def test_the_lesson_runs_at_full(tmp_path, tiny_llama):
    """With the names of OpenAI's models and without its address: the same code, on a service of this machine."""
    model = profiles.LESSONS["02_openai"]["full"]["model"]
    with start_service(tmp_path / "service", {model: str(tiny_llama)}) as service:
        variables = {"OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": service.api_key, "FTCOURSE_PROFILE": "full"}
        run_at_full("02_openai", tmp_path, {**os.environ, **variables})
        client = jobs.connect(service.base_url, service.api_key)
        tuned = [found.id for found in client.models.list() if found.id.startswith(f"ft:{model}:")]
        assert len(tuned) == 1  # the chosen model stays, and nothing else that the lesson made
        assert list(client.files.list()) == []


def test_the_lesson_at_full_stops_before_it_reaches_out(tmp_path):
    """Without an opt-in by name the first cell that would send something ends with a message."""
    settings = profiles.load_profile("02", "full")
    with pytest.raises(CourseError, match="would go to api.openai.com"):
        jobs.open_service(settings.base_url, allow_host=None)
