"""The dial: one table, three profiles, and names that explain themselves when they are wrong."""

import copy
import re
from pathlib import Path

import pytest
import torchvision

from ftcourse import assets, profiles
from ftcourse.errors import CourseError


@pytest.mark.parametrize("name", ["3", "03", "03_text_classification", "03_text_classification.ipynb", 3])
def test_lesson_is_found_by_number_and_name(name):
    assert profiles.find_lesson(name) == "03_text_classification"


def test_unknown_lesson_lists_the_known_ones():
    with pytest.raises(CourseError, match="03_text_classification"):
        profiles.find_lesson("99")


def test_unknown_profile_lists_the_known_ones(monkeypatch):
    with pytest.raises(CourseError, match="smoke, local, full"):
        profiles.load_profile("03", "fast")
    monkeypatch.setenv("FTCOURSE_PROFILE", "quick")
    with pytest.raises(CourseError, match="'quick'"):
        profiles.current_profile()


def test_default_profile_is_local(monkeypatch):
    monkeypatch.delenv("FTCOURSE_PROFILE", raising=False)
    assert profiles.current_profile() == "local"


@pytest.mark.parametrize("lesson", profiles.LESSONS)
def test_every_lesson_has_the_same_settings_in_every_profile(lesson):
    """A lesson's code is the same in all three, so the settings that it reads must be too."""
    rows = {profile: set(vars(profiles.load_profile(lesson, profile))) for profile in profiles.PROFILES}
    assert rows["smoke"] == rows["local"]
    assert rows["full"] <= rows["local"]


@pytest.mark.parametrize("lesson", profiles.LESSONS)
def test_full_uses_the_hub_with_pinned_revisions(lesson):
    settings = profiles.load_profile(lesson, "full")
    if getattr(settings, "base_url", None):  # a service, which pins its models by the date in their names
        assert settings.base_url.startswith("https://") and re.search(r"-\d{4}-\d{2}-\d{2}$", settings.model)
        return
    own = (
        Path(profiles.__file__).parent / "data" / f"{settings.data}.jsonl"
    )  # a file of the course is as old as its code
    pinned = [] if own.exists() else [(settings.data, settings.data_revision)]
    if hasattr(settings, "weights"):  # torchvision's, which are pinned by a hash in the name of their file
        weights = torchvision.models.get_model_weights(settings.model)[settings.weights]
        assert re.search(r"-[0-9a-f]{8}\.pth$", weights.url)
    else:
        pinned.append((settings.model, settings.model_revision))
    for name, revision in pinned:
        assert "/" in name
        assert len(revision) == 40 and set(revision) <= set("0123456789abcdef")


@pytest.mark.parametrize("lesson", profiles.LESSONS)
def test_local_uses_known_assets_or_data_of_the_package(lesson):
    settings = profiles.load_profile(lesson, "local")
    data = "bigbench-tasks" if settings.data in ("cifar10", "disfl_qa") else settings.data
    packaged = {path.stem for path in (Path(profiles.__file__).parent / "data").glob("*")}
    assert {settings.model, data} - packaged <= set(profiles.LESSONS[lesson]["assets"]) <= set(assets.ASSETS)
    assert settings.model in assets.ASSETS


def test_a_setting_that_is_changed_stays_as_it_is_elsewhere():
    for lesson in profiles.LESSONS:
        before = copy.deepcopy(vars(profiles.load_profile(lesson, "smoke")))
        for value in vars(profiles.load_profile(lesson, "local")).values():
            if isinstance(value, dict):
                value.clear()
        assert vars(profiles.load_profile(lesson, "smoke")) == before
