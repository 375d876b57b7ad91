"""What turns the members of an asset into files that the lessons load."""

import errno
import shutil
from pathlib import Path


def gguf_to_safetensors(folder: Path) -> None:
    """Replace the 4-bit GGUF file by float32 safetensors, configuration and tokenizer, which load in under a second.

    Args:
        folder: of the asset's members, with one GGUF file.
    """
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
