"""What holds for every test: what it needs is in the cache, and nothing reaches beyond this machine."""

import gc
import os
import runpy
from pathlib import Path

import pytest

from ftcourse.tools.runner import skip_slow_grammar

pytest_plugins = ["tiny_llama", "trainings"]  # fixtures

OFFLINE = Path(__file__).parent / "offline"
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy")
# What tests need beside the lessons' assets: support_chats.jsonl is counted with this model's tokenizer.
ALSO_NEEDED = ("smollm2-135m-instruct",)
_seen = pytest.StashKey[int]()


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="only tests that need no models, no network and no training")


def pytest_configure(config):
    skip_slow_grammar()  # before a test module imports nbformat
    config.addinivalue_line("markers", "reaches_out: the test tries on purpose to reach another machine")
    config.addinivalue_line("markers", "xdist_group(name): what runs in one process; unknown where xdist is off")
    config.addinivalue_line("markers", "models: the test needs the lessons' models and data, or trains")
    config.addinivalue_line("markers", "long: the test takes seconds; `make quick` leaves it out")
    config.addinivalue_line("markers", "whole_lesson: the test runs a notebook from beginning to end")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Keep what is imported out of the search for garbage: the libraries' million objects stay to the end.

    A sixth of the time of the imports goes into that search, and each `Trainer.train` starts it twice more.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Keep a file's tests in one process, but let the runs of whole lessons be shared out, the long ones first."""
    if config.option.quick:
        dropped = [item for item in items if item.get_closest_marker("models") or is_whole_lesson(item)]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in set(dropped)]
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item.path.stem, item.name, is_whole_lesson(item))))
        if is_whole_lesson(item):
            item.add_marker(pytest.mark.timeout(1800))
    items.sort(key=lambda item: not is_whole_lesson(item))


def group_of(file, test, whole_lesson):
    """Return the group of a test: what is in one group runs in one process."""
    # Without the bracket: where a group's name ends in one, pytest-xdist takes the test for one of no group.
    lesson = test.partition("[")[2].rstrip("]") if whole_lesson else ""
    return f"{file}-{lesson}"


def is_whole_lesson(item):
    return item.get_closest_marker("whole_lesson") is not None


def pytest_sessionstart(session):
    os.environ["FTCOURSE_TRAINER_NICE"] = "0"  # tests side by side would starve the service's trainers
    os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported, which reads it then
    if session.config.option.quick:  # a test that needs a model and doesn't say so fails
        os.environ["FTCOURSE_HOME"] = str(session.config.cache.mkdir("no-models"))


def pytest_collection_finish(session):
    """Fetch what the tests need, then close the network."""
    if not session.config.option.collectonly:
        if any(item.get_closest_marker("models") or is_whole_lesson(item) for item in session.items):
            prepare_assets(session.config)
        block_network(session.config)


def prepare_assets(config):
    """Fetch the assets of all lessons and tests: the one thing that needs the network, and only the first time."""
    from ftcourse.assets import is_ready, setup
    from ftcourse.errors import CourseError
    from ftcourse.profiles import LESSONS

    needed = {*ALSO_NEEDED, *(name for lesson in LESSONS.values() for name in lesson["assets"])}
    missing = sorted(name for name in needed if not is_ready(name))
    if missing:
        try:
            with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
                setup(missing)
        except CourseError as error:
            pytest.exit(str(error), returncode=2)


def block_network(config):
    """Block all sockets but loopback and Unix ones, here and in every child process from now on."""
    log = Path(config.cache.mkdir("blocked")) / f"{os.getpid()}.txt"
    log.write_text("")
    config.add_cleanup(lambda: log.unlink(missing_ok=True))
    for name in [name for name in os.environ if name.lower() in PROXIES]:
        del os.environ[name]  # a proxy on this machine would be a way out
    path = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))
    os.environ.update(FTCOURSE_BLOCKED_LOG=str(log), PYTHONPATH=path)
    runpy.run_path(str(OFFLINE / "sitecustomize.py"))


def blocked():
    """Return what was blocked so far, a line each, in this process and its children."""
    return Path(os.environ["FTCOURSE_BLOCKED_LOG"]).read_text(encoding="utf-8").splitlines()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    item.stash[_seen] = len(blocked())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    tried = blocked()[item.stash[_seen] :]
    if tried and not item.get_closest_marker("reaches_out"):
        pytest.fail("The test tried to reach another machine:\n" + "\n".join(tried), pytrace=False)
