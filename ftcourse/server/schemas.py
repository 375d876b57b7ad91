"""What requests may hold, and what answers look like.

Answers are the client's own types. Requests have models of their own: the client's, used as bodies, drop unknown fields
and check no bounds.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from openai.types import FileObject, Model
from openai.types.chat import ChatCompletion
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from .states import Status

__all__ = ["ChatCompletion", "FileObject", "Model"]


class Body(BaseModel):
    """A request's body: unknown fields are errors, never silence."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    # Fields that the API has and this service doesn't, each with the values that ask for nothing; null always does.
    not_built: ClassVar[dict[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, body: Any) -> Any:
        """Leave out what asks for nothing, and refuse what asks for something that is not built."""
        if not isinstance(body, dict):
            return body
        for name, values in cls.not_built.items():
            if body.get(name) is not None and body[name] not in values:
                raise PydanticCustomError("not_built", "not built here", {"field": name})
        return {name: value for name, value in body.items() if name not in cls.not_built}


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


Chosen = BeforeValidator(lambda value: "auto" if value is None else value)


class Hyperparameters(Body):
    """How to train; "auto" lets the service choose."""

    n_epochs: Annotated[Literal["auto"] | Annotated[Whole, Field(ge=1, le=50)], Chosen] = "auto"
    batch_size: Annotated[Literal["auto"] | Annotated[Whole, Field(ge=1, le=256)], Chosen] = "auto"
    learning_rate_multiplier: Annotated[
        Literal["auto"] | Annotated[float, Field(gt=0, le=1000, strict=True)], Chosen
    ] = "auto"


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
    suffix: Annotated[Text, StringConstraints(min_length=1, max_length=64)] | None = None
    seed: Annotated[Whole, Field(ge=0, le=2147483647)] | None = None
    integrations: list[dict[str, Any]] | None = None
    metadata: (
        Annotated[
            dict[Annotated[Text, StringConstraints(max_length=64)], Annotated[Text, StringConstraints(max_length=512)]],
            Field(max_length=16),
        ]
        | None
    ) = None


def _built_part(part: Any) -> Any:
    """Return a part of a message's content, unless it is of a type that is not built."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("image_url", "input_audio", "file"):
        raise ValueError(f"a part of the type {kind} is not built here: send text")
    return part


class TextPart(Body):
    """A part of a message's content: some text, or what an assistant said instead of an answer."""

    not_built = {"prompt_cache_breakpoint": ()}

    type: Literal["text", "refusal"]
    text: Text | None = None
    refusal: Text | None = None

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        """Refuse a part that has its text elsewhere, or has none."""
        if getattr(self, self.type) is None:
            raise ValueError(f"a part of the type {self.type} has its text in the field '{self.type}'")
        return self


class Function(Body):
    """A function that the assistant called."""

    name: Text
    arguments: Text


class ToolCall(Body):
    """A call of a tool by the assistant."""

    id: Text
    type: Literal["function"]
    function: Function


class Message(Body):
    """A message of a conversation; the model reads the calls of tools as text, as it does in training."""

    not_built = {"audio": ()}

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Annotated[TextPart, BeforeValidator(_built_part)]] | None = None
    name: Text | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = Field(None, json_schema_extra={"deprecated": True})
    tool_call_id: Text | None = None
    refusal: Text | None = None
    annotations: list[dict[str, Any]] | None = None  # of a reply that is sent back: no part of what was said
    weight: Literal[0, 1] | None = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        """Refuse a message that says nothing."""
        if self.content is None and not (
            self.role == "assistant" and (self.tool_calls or self.function_call or self.refusal is not None)
        ):
            raise ValueError("content is required, save for an assistant's message with tool_calls or a refusal")
        return self


class StreamOptions(Body):
    """What a streamed answer holds besides its text."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(Body):
    """The fields that this service acts on, and some that change nothing here."""

    not_built = {
        "audio": (),
        "frequency_penalty": (0,),
        "function_call": ("none", "auto"),
        "functions": ([],),
        "logit_bias": ({},),
        "logprobs": (False,),
        "modalities": (["text"],),
        "moderation": (),
        "n": (1,),
        "parallel_tool_calls": (True, False),
        "presence_penalty": (0,),
        "reasoning_effort": ("none",),
        "response_format": ({"type": "text"},),
        "service_tier": ("auto", "default"),
        "store": (False,),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "top_logprobs": (0,),
        "verbosity": ("medium",),
        "web_search_options": (),
    }

    model: Name
    messages: Annotated[list[Message], Field(min_length=1, max_length=2048)]
    max_completion_tokens: Annotated[Whole, Field(ge=1)] | None = None
    max_tokens: Annotated[Whole, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[Whole, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: (
        Annotated[Text, StringConstraints(min_length=1)]
        | Annotated[list[Annotated[Text, StringConstraints(min_length=1)]], Field(max_length=4)]
        | None
    ) = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, str] | None = None
    prediction: Any = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    user: str | None = None


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
