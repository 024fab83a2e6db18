"""Model directories as the real transformers write them, with random weights and odd sizes.

data/fixtures/tiny-gpt2   the fixture that programs and tests open: 3 layers, 3 heads, the byte vocabulary
tests/golden/hf_NAME      small variants: untied, sharded, f16, bf16, f64, without the `transformer.` prefix,
                          with the mask buffers of old checkpoints, with another n_inner, with the tied matrix
                          under the output layer's name

The golden of a directory is the logits (T, vocab) that transformers computes from it in float32 (16-bit
weights widened first) for the ids in hf.json: the variants' logits.npy, and tiny_gpt2_logits.npy.
"""

import json
import shutil

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.utils import logging

from golden_io import write_json, write_tensors

FIXTURE_IDS = [39, 68, 75, 75, 78, 11, 220, 0, 256, 255, 187, 188, 39, 39, 39, 1, 120]
VARIANT_IDS = [0, 256, 128, 75, 75, 255, 1]

FIXTURE = {"n_layer": 3, "n_head": 3, "n_embd": 39, "n_positions": 37, "layer_norm_epsilon": 1e-3}
VARIANT = {"n_layer": 2, "n_head": 2, "n_embd": 10, "n_positions": 13, "layer_norm_epsilon": 1e-3}


def random_model(seed, sizes, **more):
    """Far larger weights than a fresh GPT-2's: the logits of a wrong forward pass are then far off."""
    end = {"bos_token_id": 256, "eos_token_id": 256}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=257, **end, **sizes, **more)).eval()
    draw = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        centre = 1.0 if name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight")) else 0.0
        parameter.data.normal_(centre, 0.3, generator=draw)
    return model


@torch.no_grad()
def logits_of(directory, ids):
    """What transformers makes of the directory as it lies there."""
    how = {"dtype": torch.float32, "attn_implementation": "eager"}
    model, info = GPT2LMHeadModel.from_pretrained(directory, output_loading_info=True, **how)
    assert not info["missing_keys"] and not info["mismatched_keys"], info
    return model.eval()(torch.tensor([ids])).logits[0].numpy()


def clean(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def save(model, directory, **options):
    model.save_pretrained(clean(directory), **options)
    (directory / "generation_config.json").unlink(missing_ok=True)
    for path in directory.iterdir():
        path.chmod(0o644)


def write_byte_tokenizer(directory):
    """GPT-2's tokenizer without a merge: 256 bytes in GPT-2's order and notation, then <|endoftext|>."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(len(others))]
    vocabulary = {symbol: i for i, symbol in enumerate([*symbols, "<|endoftext|>"])}
    (directory / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False) + "\n", encoding="utf-8")
    (directory / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


def rewrite(directory, change):
    """Replaces model.safetensors by `change` of its tensors."""
    path = directory / "model.safetensors"
    write_tensors(path, change(load_file(path)), {"format": "pt"})


def with_mask_buffers(tensors):
    """As on the hub: no prefix, a mask (1, 1, n_positions, n_positions) in each layer, here of two dtypes."""
    n = VARIANT["n_positions"]
    mask = torch.tril(torch.ones(n, n)).view(1, 1, n, n)
    tensors = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    for layer, dtype in enumerate((torch.float32, torch.uint8)):
        tensors[f"h.{layer}.attn.bias"] = mask.to(dtype)
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return tensors


def under_the_other_name(tensors):
    """As safetensors' own save_model may write a tied matrix: under one of its two names, whichever it keeps."""
    return {name.replace("transformer.wte.weight", "lm_head.weight"): value for name, value in tensors.items()}


REWRITTEN = {"mask_buffers": with_mask_buffers, "head_only": under_the_other_name}


def variants():
    """(name, model, how to save it)."""
    yield "untied", random_model(2, VARIANT, tie_word_embeddings=False), {}
    yield "sharded", random_model(3, VARIANT), {"max_shard_size": "8KB"}
    yield "f16", random_model(4, VARIANT).to(torch.float16), {}
    yield "bf16", random_model(5, VARIANT).to(torch.bfloat16), {}
    yield "no_prefix", random_model(6, VARIANT).transformer, {}
    yield "mask_buffers", random_model(7, VARIANT), {}
    yield "f64", random_model(8, VARIANT).to(torch.float64), {}
    yield "n_inner", random_model(9, VARIANT, n_inner=23), {}
    yield "head_only", random_model(10, VARIANT), {}


def make(options):
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    fixture = options.fixtures / "tiny-gpt2"
    save(random_model(1, FIXTURE), fixture)
    write_byte_tokenizer(fixture)
    np.save(options.out / "tiny_gpt2_logits.npy", logits_of(fixture, FIXTURE_IDS))
    for name, model, how in variants():
        directory = options.out / f"hf_{name}"
        save(model, directory, **how)
        if name in REWRITTEN:
            rewrite(directory, REWRITTEN[name])
        np.save(directory / "logits.npy", logits_of(directory, VARIANT_IDS))
    write_json(options.out / "hf.json", {"tiny_gpt2_ids": FIXTURE_IDS, "variant_ids": VARIANT_IDS})
