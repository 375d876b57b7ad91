"""What requests may hold, and what answers look like.

Answers are the client's own types. Requests have models of their own: the client's, used as bodies, drop unknown fields
and check no bounds.
"""

from typing import Annotated, Any, Literal, Self

from openai.types import FileObject, Model
from openai.types.chat import ChatCompletion
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from .states import Status

__all__ = ["ChatCompletion", "FileObject", "Model"]


class Body(BaseModel):
    """A request's body: unknown fields are errors, never silence."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _whole_characters(text: str) -> str:
    """Return a text, unless it cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character, an escape such as \\ud83d alone") from None
    return text


Text = Annotated[str, AfterValidator(_whole_characters)]
Whole = Annotated[int, Field(strict=True)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=256)]


class Hyperparameters(Body):
    """How to train; "auto" lets the service choose."""

    n_epochs: Literal["auto"] | Annotated[Whole, Field(ge=1, le=50)] = "auto"
    batch_size: Literal["auto"] | Annotated[Whole, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Literal["auto"] | Annotated[float, Field(gt=0, le=1000, strict=True)] = "auto"


class Supervised(Body):
    """Settings of the method "supervised"."""

    hyperparameters: Hyperparameters | None = None


class Method(Body):
    """The method of fine-tuning with its settings."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Supervised | None = None
    dpo: dict[str, Any] | None = None
    reinforcement: dict[str, Any] | None = None


class JobRequest(Body):
    """What a client asks for when it creates a job."""

    model: Name
    training_file: Name
    validation_file: Name | None = None
    hyperparameters: Hyperparameters | None = Field(None, json_schema_extra={"deprecated": True})
    method: Method | None = None
    suffix: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    seed: Annotated[Whole, Field(ge=0, le=2147483647)] | None = None
    integrations: list[dict[str, Any]] | None = None
    metadata: (
        Annotated[
            dict[Annotated[Text, StringConstraints(max_length=64)], Annotated[Text, StringConstraints(max_length=512)]],
            Field(max_length=16),
        ]
        | None
    ) = None


class TextPart(Body):
    """A part of a message's content."""

    type: Literal["text"]
    text: Text


class Message(Body):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Text | list[TextPart] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    weight: Literal[0, 1] | None = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        """Refuse a message that says nothing."""
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content is required, save for an assistant's message with tool_calls")
        return self

    def text(self) -> str:
        """Return the content as one string."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content or [])


class StreamOptions(Body):
    """What a streamed answer holds besides its text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(Body):
    """The fields that this service acts on, and those whose only value here is the one without effect."""

    model: Name
    messages: Annotated[list[Message], Field(min_length=1, max_length=2048)]
    max_completion_tokens: Annotated[Whole, Field(ge=1)] | None = None
    max_tokens: Annotated[Whole, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] | None = None
    stop: (
        Annotated[Text, StringConstraints(min_length=1)]
        | Annotated[list[Annotated[Text, StringConstraints(min_length=1)]], Field(max_length=4)]
        | None
    ) = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    logprobs: Literal[False] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None


class Job(FineTuningJob):
    """A fine-tuning job. The client's enumeration lacks a status that the live service knows."""

    status: Status


class Page(BaseModel):
    """Some objects of a list."""

    object: Literal["list"] = "list"
    data: list[Any]
    has_more: bool = False


class JobPage(Page):
    """Some jobs."""

    data: list[Job]


class EventPage(Page):
    """Some events of a job."""

    data: list[FineTuningJobEvent]


class CursorPage(Page):
    """Some objects of a list, with the ids at its ends."""

    first_id: str | None = None
    last_id: str | None = None


class FilePage(CursorPage):
    """Some files."""

    data: list[FileObject]


class CheckpointPage(CursorPage):
    """Some checkpoints of a job."""

    data: list[FineTuningJobCheckpoint]


class ModelPage(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


class Deleted(BaseModel):
    """What was deleted."""

    id: str
    object: str
    deleted: bool


class ErrorDetail(BaseModel):
    """What is wrong, where, and what to do instead."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """The body of every error."""

    error: ErrorDetail
