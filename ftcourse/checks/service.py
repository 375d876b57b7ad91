"""A service that answers the openai package's own client at once, without a network, and notes what it is asked."""

from __future__ import annotations

import email
import json
from collections.abc import Callable
from typing import Any

from .engine import Wrong, _Failed, run

_CLUES = {
    "binary mode": 'The file is opened as text: open it with "rb", as the bytes are sent.',
    "but received <class 'str'>": "file is the text of a path: the client takes an open file, or a pathlib.Path.",
    "argument 'n_epochs'": "n_epochs stands in method, of the type supervised, below supervised and hyperparameters.",
}


class Service:
    """What the service holds: uploads by their ids, jobs with their settings, and the conversations that it answered.

    Args:
        reply: from a model's name and a conversation, a list of (role, text), to the answer.
    """

    def __init__(self, reply: Callable[[str, list[tuple[str, str]]], str] | None = None) -> None:
        self.uploads: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.settings: list[dict[str, Any]] = []
        self.asked: list[tuple[str, list[tuple[str, str]], dict[str, Any]]] = []
        self.refusal = ""
        self._reply = reply

    def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a learner's function with a client of this service first; what the service refused is a wrong answer.

        Args:
            function: of the learner.
            *args: after the client.
            **kwargs: of `engine.run`.
        """
        import httpx
        from openai import OpenAI

        transport = httpx.MockTransport(self._answer)
        with httpx.Client(transport=transport) as connection:
            client = OpenAI(api_key="none", base_url="http://service/v1", max_retries=0, http_client=connection)
            try:
                return run(function, client, *args, clues=_CLUES | kwargs.pop("clues", {}), **kwargs)
            except _Failed:
                if self.refusal:
                    raise Wrong(self.refusal) from None
                raise

    def _answer(self, request: Any) -> Any:
        import httpx

        kind, *more = request.url.path.removeprefix("/v1/").strip("/").split("/")
        answer = {
            "files": self._files,
            "fine_tuning": self._fine_tuning,
            "chat": self._chat,
            "responses": self._respond,
        }.get(kind)
        found = answer(request.method, more, self._body(request)) if answer else None
        if isinstance(found, httpx.Response):
            return found
        why = self.refusal or f"The service has no {request.method} {request.url.path}."
        refused = {"error": {"message": why, "type": "invalid_request_error"}}
        return httpx.Response(200, json=found) if found else httpx.Response(400, json=refused)

    def _body(self, request: Any) -> dict[str, Any]:
        """Return what a request says: the fields of a form, or of a JSON object."""
        kind, content = request.headers.get("content-type", ""), request.read()
        if kind.startswith("multipart/form-data"):
            parts = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + content).get_payload()
            named = {str(part.get_param("name", header="content-disposition")): part for part in parts}  # type: ignore
            return {name: part.get_payload(decode=True) for name, part in named.items()}  # type: ignore
        return json.loads(content) if content else {}

    def _files(self, method: str, path: list[str], body: dict[str, Any]) -> Any:
        import httpx

        if method == "POST":
            return self._upload(**body)
        if not path:
            return {"object": "list", "data": [_file(name) for name in self.uploads], "has_more": False}
        if path[0] not in self.uploads:
            self.refusal = f"There is no file {path[0]!r}: files.create returns a file, and its id names it."
            return None
        if method == "DELETE":
            return {"id": path[0], "object": "file", "deleted": bool(self.uploads.pop(path[0]) or True)}
        return httpx.Response(200, content=self.uploads[path[0]]) if path[1:] else _file(path[0])

    def _fine_tuning(self, method: str, path: list[str], body: dict[str, Any]) -> Any:
        if path[1:]:
            return self._job(*path[1:])
        return self._create(body) if method == "POST" else {"object": "list", "data": self.jobs, "has_more": False}

    def _upload(self, file: bytes = b"", purpose: bytes = b"", **_: Any) -> dict[str, Any] | None:
        if purpose != b"fine-tune":
            self.refusal = f"The purpose is {purpose.decode()!r}; for training it is 'fine-tune'."
            return None
        name = f"file-{len(self.uploads)}"
        self.uploads[name] = file
        return _file(name)

    def _create(self, settings: dict[str, Any]) -> dict[str, Any]:
        self.settings.append(settings)
        self.jobs.append({
            "id": f"ftjob-{len(self.jobs)}", "object": "fine_tuning.job", "created_at": 0, "finished_at": None,
            "status": "validating_files", "model": settings.get("model"), "fine_tuned_model": None, "error": None,
            "training_file": settings.get("training_file"), "validation_file": settings.get("validation_file"),
            "hyperparameters": settings.get("hyperparameters") or {"n_epochs": "auto"}, "organization_id": "none",
            "method": settings.get("method"), "result_files": [], "seed": 0, "trained_tokens": None,
        })  # fmt: skip
        return self.jobs[-1]

    def _job(self, name: str, *more: str) -> dict[str, Any] | None:
        job = next((job for job in self.jobs if job["id"] == name), None)
        if job is None:
            self.refusal = f"There is no job {name!r}: jobs.create returns a job, and its id names it."
            return None
        if more in (("events",), ("checkpoints",)):
            return {"object": "list", "data": [], "has_more": False}
        if more == ("cancel",):
            job["status"] = "cancelled"
        elif job["status"] != "cancelled":  # whoever asks later finds it done
            job |= {
                "status": "succeeded",
                "finished_at": 1,
                "trained_tokens": 1,
                "fine_tuned_model": f"ft:{job['model']}",
            }
        return job

    def _reply_to(self, model: str, conversation: list[tuple[str, str]], settings: dict[str, Any]) -> str:
        self.asked.append((model, conversation, settings))
        return self._reply(model, conversation) if self._reply else ""

    def _chat(self, method: str, path: list[str], body: dict[str, Any]) -> Any:
        import httpx

        model, stream = body.pop("model", ""), body.pop("stream", False)
        conversation = [(one.get("role", ""), _text(one.get("content"))) for one in body.pop("messages", [])]
        text = self._reply_to(model, conversation, body)
        about = {"id": "chatcmpl-0", "created": 0, "model": model}
        if not stream:
            message = {"role": "assistant", "content": text}
            choices = [
                {"index": n, "message": message, "finish_reason": "stop", "logprobs": None}
                for n in range(body.get("n") or 1)
            ]
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            return httpx.Response(200, json=about | {"object": "chat.completion", "choices": choices, "usage": usage})
        deltas = [{"role": "assistant", "content": ""}, *({"content": part} for part in _pieces(text)), {}]
        chunks = [
            about
            | {
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}],
            }
            for delta in deltas
        ]
        return _events([json.dumps(chunk) for chunk in chunks] + ["[DONE]"])

    def _respond(self, method: str, path: list[str], body: dict[str, Any]) -> Any:
        import httpx

        given, told = body.pop("input", ""), body.pop("instructions", None)
        model, stream = body.pop("model", ""), body.pop("stream", False)
        turns = [{"role": "user", "content": given}] if isinstance(given, str) else given
        conversation = [("system", told)] * bool(told) + [
            (one.get("role", ""), _text(one.get("content"))) for one in turns
        ]
        text = self._reply_to(model, conversation, body)
        content = [{"type": "output_text", "text": text, "annotations": []}]
        message = {"type": "message", "id": "msg-0", "status": "completed", "role": "assistant", "content": content}
        response = {
            "id": "resp-0", "object": "response", "created_at": 0, "model": model, "status": "completed",
            "output": [message], "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
        }  # fmt: skip
        if not stream:
            return httpx.Response(200, json=response)
        place = {"item_id": "msg-0", "output_index": 0, "content_index": 0, "logprobs": []}
        events = [place | {"type": "response.output_text.delta", "delta": part} for part in _pieces(text)]
        events.append({"type": "response.completed", "response": response})
        return _events([json.dumps(event | {"sequence_number": number}) for number, event in enumerate(events)])


def _file(name: str) -> dict[str, Any]:
    return {
        "id": name, "object": "file", "bytes": 1, "created_at": 0, "filename": f"{name}.jsonl",
        "purpose": "fine-tune", "status": "processed",
    }  # fmt: skip


def _text(content: Any) -> str:
    """Return the text of a message, which may come in parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or [])


def _pieces(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _events(lines: list[str]) -> Any:
    import httpx

    content = "".join(f"data: {line}\n\n" for line in lines).encode()
    return httpx.Response(200, content=content, headers={"content-type": "text/event-stream"})
