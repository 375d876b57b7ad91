"""What the mirror of the model hub serves: tiny models and a few rows of data under their real names.

A repository is a folder, written by one function of the table `REPOSITORIES`, in the schema of the real one.
"""

import io
import json
import re
from itertools import product

_OPENINGS = {
    0: [
        "I wanted to like this film, but it bored me.",
        "What a dull and clumsy mess!",
        "Two hours that I want back.",
        "The plot makes no sense at all.",
        "A tired script and wooden acting.",
    ],
    1: [
        "I did not expect to love this film, but I did.",
        "What a warm and clever story!",
        "Two hours that flew by.",
        "The plot surprises until the end.",
        "A sharp script and splendid acting.",
    ],
}
_ENDINGS = {
    0: ["Avoid it.", "The worst of the year.", "Even the music is bad.", "I left before the end.", "A waste of money."],
    1: ["See it.", "The best of the year.", "Even the music is good.", "I stayed to the end.", "Worth every penny."],
}
_MIDDLES = ["The director has done this before.", "My sister saw it with me.", "It was shot in the mountains."]


def reviews(label):
    """Return 75 short reviews of a label, 0 for negative and 1 for positive, with the line breaks of the real ones."""
    return [" ".join([a, "<br /><br />", b, c]) for b, a, c in product(_MIDDLES, _OPENINGS[label], _ENDINGS[label])]


def write_imdb(folder):
    """Write the schema of stanfordnlp/imdb; the real train and test splits, too, have all negatives first."""
    negative, positive = reviews(0), reviews(1)
    splits = {
        "train": [(text, 0) for text in negative[:50]] + [(text, 1) for text in positive[:50]],
        "test": [(text, 0) for text in negative[50:]] + [(text, 1) for text in positive[50:]],
        "unsupervised": [(text, -1) for text in negative[:10] + positive[:10]],
    }
    columns = {"text": "string", "label": ["neg", "pos"]}
    card = {
        "language": ["en"],
        "task_categories": ["text-classification"],
        "task_ids": ["sentiment-classification"],
        "pretty_name": "IMDB",
        **write_splits(folder, columns, splits),
    }
    write_card(folder, card, "# Dataset Card for imdb")


CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def write_cifar10(folder):
    """Write the schema of uoft-cs/cifar10 with images of noise, four of each class for training and two to test."""
    import numpy as np
    import PIL.Image

    rng = np.random.default_rng(0)

    def draw():
        file = io.BytesIO()
        PIL.Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    splits = {split: [(draw(), int(label)) for label in rng.permutation([*range(10)] * count)]
              for split, count in (("train", 4), ("test", 2))}  # fmt: skip
    card = {
        "language": ["en"],
        "task_categories": ["image-classification"],
        "pretty_name": "Cifar10",
        **write_splits(folder, {"img": "image", "label": CIFAR10}, splits),
    }
    write_card(folder, card, "# Dataset Card for CIFAR-10")


def write_distilbert(folder):
    """Write distilbert/distilbert-base-uncased with 2 layers of width 32, random weights and a small vocabulary."""
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    vocabulary = write_tokenizer(folder, reviews(0) + reviews(1))
    config = DistilBertConfig(vocab_size=len(vocabulary), dim=32, hidden_dim=64, n_layers=2, n_heads=2)
    DistilBertForMaskedLM(config).save_pretrained(folder)
    write_card(folder, {"language": "en", "license": "apache-2.0"}, "# DistilBERT base model (uncased)")


_TAGS = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


def tagged_sentences():
    """Return 120 short sentences as (tokens, numbers of the NER tags)."""
    rows = []
    for first, last, place in product(["Anna", "Tom", "Priya", "Jan"], ["Kerr", "Novak", "Silva"], ["Oslo", "Peru"]):
        rows += [
            ([first, last, "left", place, "."], [1, 2, 0, 5, 0]),
            (["The", "Bank", "of", place, "named", last, "."], [0, 3, 4, 4, 0, 1, 0]),
            (["Thai", "exports", "to", place, "rose", "."], [7, 0, 0, 5, 0, 0]),
            ([last, "beat", first, last, "2-1"], [1, 0, 1, 2, 0]),
            (["Nobody", "won", "."], [0, 0, 0]),
        ]
    return rows


def write_conll(folder):
    """Write the schema of lhoestq/conll2003, a copy in Parquet of the four columns and three splits of CoNLL-2003."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = tagged_sentences()
    (folder / "data").mkdir()
    for split, part in {"train": rows[:60], "validation": rows[60:90], "test": rows[90:]}.items():
        columns = {
            "id": [str(i) for i in range(len(part))],
            "tokens": [tokens for tokens, _ in part],
            "pos_tags": [[0] * len(tokens) for tokens, _ in part],
            "chunk_tags": [[0] * len(tokens) for tokens, _ in part],
            "ner_tags": [tags for _, tags in part],
        }
        pq.write_table(pa.table(columns), folder / "data" / f"{split}-00000-of-00001.parquet")
    data_files = [{"split": split, "path": f"data/{split}-*"} for split in ("train", "validation", "test")]
    configs = [{"config_name": "default", "data_files": data_files}]
    write_card(folder, {"language": ["en"], "configs": configs}, "# Dataset Card for conll2003")


def write_bert_cased(folder):
    """Write google-bert/bert-base-cased with 2 layers of width 32, random weights and a small vocabulary."""
    from transformers import BertConfig, BertForMaskedLM

    vocabulary = write_tokenizer(folder, [" ".join(tokens) for tokens, _ in tagged_sentences()], lowercase=False)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    BertForMaskedLM(config).save_pretrained(folder)
    write_card(folder, {"language": "en", "license": "apache-2.0"}, "# BERT base model (cased)")


def write_llama_chat(folder):
    """Write meta-llama/Llama-2-7b-chat-hf with 11 layers of width 64, random weights and a template like Llama 2's.

    As there, no token is for padding.
    """
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from ftcourse import assets

    tokenizer = AutoTokenizer.from_pretrained(assets.fetch("smollm2-135m-instruct"))
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{% set first = '<<SYS>>' + messages[0]['content'] + '<</SYS>>' %}"
        "{% set messages = messages[1:] %}{% else %}{% set first = '' %}{% endif %}"
        "{% for message in messages %}{% if message['role'] == 'user' %}"
        "{{ '<s>[INST] ' + (first if loop.first else '') + message['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + message['content'] + ' </s>' }}{% endif %}{% endfor %}"
    )
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=11, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    write_card(folder, {"language": "en", "license": "llama2"}, "# Llama-2-7b-chat")


def squad_questions():
    """Return 60 questions on 12 short paragraphs as rows in the order of SQuAD's columns."""
    rows = []
    for number, (town, year) in enumerate(product(["Riga", "Oslo", "Lima", "Accra"], ["1201", "1535", "1872"])):
        context = (
            f"{town} was founded in {year} by Anna Kerr. "
            + "Its harbour is old. " * (number % 3)
            + "Tom Novak rules it."
        )
        answers = {
            "Who founded it?": ["Anna Kerr"], "When was it founded?": [year, f"in {year}"],
            "What was founded?": [town], "Who rules it?": ["Tom Novak"], "Who was the founder?": ["Anna Kerr"],
        }  # fmt: skip
        for question, texts in answers.items():
            starts = [context.index(text) for text in texts]
            found = {"text": texts, "answer_start": starts}
            rows.append((f"{len(rows):024x}", town, context, question, found))
    return rows


def write_squad(folder):
    """Write the schema of rajpurkar/squad; as there, only the questions of the validation have several answers."""
    rows = squad_questions()
    first = [(*rest, {name: values[:1] for name, values in answers.items()}) for *rest, answers in rows]
    columns = {"id": "string", "title": "string", "context": "string", "question": "string", "answers": "answers"}
    card = {
        "language": ["en"],
        "task_categories": ["question-answering"],
        "pretty_name": "SQuAD",
        **write_splits(folder, columns, {"train": first[:45], "validation": rows[45:]}),
    }
    write_card(folder, card, "# Dataset Card for SQuAD")


def write_bert_uncased(folder):
    """Write google-bert/bert-base-uncased with 2 layers of width 32, random weights and a small vocabulary."""
    from transformers import BertConfig, BertForMaskedLM

    vocabulary = write_tokenizer(folder, [" ".join(row[2:4]) for row in squad_questions()])
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    BertForMaskedLM(config).save_pretrained(folder)
    write_card(folder, {"language": "en", "license": "apache-2.0"}, "# BERT base model (uncased)")


REPOSITORIES = {
    "datasets/stanfordnlp/imdb": write_imdb,
    "datasets/uoft-cs/cifar10": write_cifar10,
    "datasets/lhoestq/conll2003": write_conll,
    "datasets/rajpurkar/squad": write_squad,
    "models/distilbert/distilbert-base-uncased": write_distilbert,
    "models/google-bert/bert-base-cased": write_bert_cased,
    "models/google-bert/bert-base-uncased": write_bert_uncased,
    "models/meta-llama/Llama-2-7b-chat-hf": write_llama_chat,
}


def write_repositories(root, names=REPOSITORIES):
    """Write repositories into folders under `root`."""
    for name in names:
        folder = root / name
        folder.mkdir(parents=True)
        REPOSITORIES[name](folder)


def write_splits(folder, columns, splits):
    """Write the splits of a data set as Parquet files, and return what its card says of them.

    Args:
        folder: of the repository.
        columns: dictionary from the name of a column to "string", "image", "answers" (as SQuAD has them) or the list
            of its classes.
        splits: dictionary from the name of a split to its rows, tuples in the order of the columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number = ({"dtype": kind, "_type": "Value"} for kind in ("string", "int32"))
    storage = {
        "string": pa.string(), "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "answers": pa.struct({"text": pa.list_(pa.string()), "answer_start": pa.list_(pa.int32())}),
    }  # fmt: skip
    sequence = {"feature": {"text": text, "answer_start": number}, "_type": "Sequence"}
    noted = {"string": text, "image": {"_type": "Image"}, "answers": sequence}
    fields, features, listed = [], {}, []
    for name, kind in columns.items():
        classes = kind if isinstance(kind, list) else None
        fields.append((name, pa.int64() if classes else storage[kind]))
        features[name] = {"names": classes, "_type": "ClassLabel"} if classes else noted[kind]
        names = {"class_label": {"names": {str(place): label for place, label in enumerate(classes or [])}}}
        if kind == "answers":
            parts = [{"name": "text", "dtype": "string"}, {"name": "answer_start", "dtype": "int32"}]
            listed.append({"name": name, "sequence": parts})
        else:
            listed.append({"name": name, "dtype": names if classes else kind})
    schema = pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})
    (folder / "plain_text").mkdir()
    sizes = []
    for split, rows in splits.items():
        table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows], schema=schema)
        pq.write_table(table, folder / "plain_text" / f"{split}-00000-of-00001.parquet")
        sizes.append({"name": split, "num_bytes": table.nbytes, "num_examples": len(rows)})
    return {
        "dataset_info": {
            "config_name": "plain_text",
            "features": listed,
            "splits": sizes,
            "download_size": sum(path.stat().st_size for path in folder.rglob("*.parquet")),
            "dataset_size": sum(size["num_bytes"] for size in sizes),
        },
        "configs": [
            {
                "config_name": "plain_text",
                "data_files": [{"split": split, "path": f"plain_text/{split}-*"} for split in splits],
                "default": True,
            }
        ],
    }


def write_card(folder, data, text):
    """Write README.md, whose YAML head the hub's clients read."""
    import yaml

    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(data, sort_keys=False)}---\n\n{text}\n", encoding="utf-8")


def write_tokenizer(folder, texts, lowercase=True):
    """Write the files of a WordPiece tokenizer that knows the texts' words, and return its vocabulary."""
    from tokenizers import BertWordPieceTokenizer

    letters = [chr(code) for code in range(33, 127)]
    text = " ".join(texts)
    words = sorted(set(re.findall(r"[A-Za-z]{2,}", text.lower() if lowercase else text)))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *letters, *(f"##{letter}" for letter in letters), *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase, "model_max_length": 512}))
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=lowercase, strip_accents=lowercase)
    tokenizer.save(str(folder / "tokenizer.json"))
    return vocabulary


def write_torchvision_weights(home, name, weights):
    """Write random weights where torchvision looks for its own before it downloads them, with TORCH_HOME at `home`."""
    import torch
    import torchvision

    url = torchvision.models.get_model_weights(name)[weights].url
    path = home / "hub" / "checkpoints" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    torch.save(torchvision.models.get_model(name).state_dict(), path)
    return path
