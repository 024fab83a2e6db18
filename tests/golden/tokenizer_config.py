"""tokenizer_config.json: what transformers makes of the files beside vocab.json and merges.txt: for each case the files
and the ids of TEXT. The vocabulary is that of the bytes, <|endoftext|> (256), "he" (257) and "<pad>" (258).
"""

import json
import tempfile
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel
from transformers import GPT2Tokenizer

from golden_io import write_json

TEXT = "he said <pad> [PAD]<|endoftext|>the"
PAD = {"content": "[PAD]", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
TYPED = PAD | {"__type": "AddedToken"}  # as tokenizer_config.json has it
STRIPS = TYPED | {"lstrip": True}
ADDED = {"added_tokens.json": {"[PAD]": 259}}


def config(**settings):
    return {"tokenizer_config.json": settings}


def tokens(**settings):
    return {"special_tokens_map.json": settings}


# name: the files, and what our message says where we refuse them.
CASES = {
    "none": ({}, ""),
    "defaults": (config(add_prefix_space=False, add_bos_token=False, eos_token="<|endoftext|>", pad_token=None), ""),
    "class": (config(tokenizer_class="GPT2TokenizerFast", model_max_length=int(1e30), errors="replace"), ""),
    "saved_by_transformers_4": (
        config(
            added_tokens_decoder={"256": PAD | {"content": "<|endoftext|>", "normalized": True, "special": True}},
            bos_token="<|endoftext|>",
            eos_token="<|endoftext|>",
            unk_token="<|endoftext|>",
            clean_up_tokenization_spaces=True,
            tokenizer_class="GPT2Tokenizer",
        )
        | tokens(**{f"{name}_token": PAD | {"content": "<|endoftext|>"} for name in ("bos", "eos", "unk")}),
        "",
    ),
    "pad_in_vocabulary": (config(pad_token="<pad>"), ""),
    "pad_in_map": (tokens(pad_token="<pad>", bos_token="he"), ""),
    "pad_added": (config(pad_token="[PAD]") | tokens(pad_token=PAD) | ADDED, ""),
    "decoder": (config(added_tokens_decoder={"259": PAD}, pad_token="[PAD]"), ""),
    "additional": (config(additional_special_tokens=["<pad>", TYPED]) | ADDED, ""),
    "extra": (config(extra_special_tokens={"image_token": "<pad>"}), ""),
    "prefix_space": (config(add_prefix_space=True), "add_prefix_space is true"),
    "bos": (config(add_bos_token=True), "add_bos_token is true"),
    "eos": (config(add_eos_token=True), "add_eos_token is true"),
    "split": (config(split_special_tokens=True), "split_special_tokens is true"),
    "separator": (config(eos_token="<pad>"), 'eos_token is "<pad>"'),
    "separator_in_map": (tokens(eos_token=PAD) | ADDED, 'eos_token is "[PAD]"'),
    "pad_without_id": (config(pad_token="[PAD]"), 'tokenizer_config.json: pad_token is "[PAD]", which'),
    "map_without_id": (tokens(pad_token=PAD), 'special_tokens_map.json: pad_token is "[PAD]", which'),
    "additional_without_id": (tokens(additional_special_tokens=["[PAD]"]), 'additional_special_tokens is "[PAD]", which'),
    "strips": (config(pad_token=STRIPS) | ADDED, "pad_token.lstrip is true"),
    "decoder_strips": (config(added_tokens_decoder={"259": STRIPS}), "added_tokens_decoder.259.lstrip is true"),
    "decoder_id": (config(added_tokens_decoder={"300": PAD}), 'token "[PAD]" has the id 300'),
}


def ids_of(files):
    spellings = sorted(ByteLevel.alphabet()) + ["<|endoftext|>", "he", "<pad>"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vocab.json").write_text(json.dumps({text: i for i, text in enumerate(spellings)}), encoding="utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\nh e\n")
        for file, content in files.items():
            (folder / file).write_text(json.dumps(content))
        return GPT2Tokenizer.from_pretrained(folder)(TEXT)["input_ids"]


def make(options):
    cases = [
        {"name": name, "files": files, "ids": ids_of(files), "refused": refused}
        for name, (files, refused) in CASES.items()
    ]
    write_json(options.out / "tokenizer_config.json", {"text": TEXT, "cases": cases})
