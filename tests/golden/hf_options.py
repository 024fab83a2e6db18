"""hf_options: what transformers makes of the fixture's weights (hf.py) when config.json says something else.

hf_options.json has the ids and, for each case, the keys that are set in the fixture's config.json (null: the
key is removed). hf_options.safetensors has, under each case's name, the logits of the last position (vocab) in
float32. The cases go through the keys of GPT2Config: those that change the arithmetic, with both names of a
size, and those that look as if they did. A config.json that transformers itself refuses has no place here.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from transformers.utils import logging

from golden_io import write_json, write_tensors
from hf import FIXTURE_IDS, logits_of

ACTIVATIONS = (
    "gelu_new gelu_pytorch_tanh gelu_python_tanh gelu_fast gelu_accurate gelu gelu_python gelu_10 quick_gelu "
    "relu relu2 silu swish tanh sigmoid mish"
).split()

CASES = {
    "plain": {},
    **{f"activation_{name}": {"activation_function": name} for name in ACTIVATIONS},
    "inner_as_by_default": {"n_inner": 156},
    "unscaled": {"scale_attn_weights": False},
    "by_layer": {"scale_attn_by_inverse_layer_idx": True},
    "by_layer_only": {"scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True},
    "upcast": {"reorder_and_upcast_attn": True},
    "upcast_by_layer": {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
    "epsilon": {"layer_norm_epsilon": 0.1},
    "other_names": {
        **{"n_embd": None, "n_layer": None, "n_head": None, "n_positions": None},
        **{"hidden_size": 39, "num_hidden_layers": 3, "num_attention_heads": 3},
        "max_position_embeddings": 37,
    },
    "both_names": {"hidden_size": 39, "num_hidden_layers": 3, "num_attention_heads": 3},
    "one_name_one_head": {"n_head": None, "num_attention_heads": 1},
    "heads_contradict": {"num_attention_heads": 13},
    "not_causal": {"is_causal": False},
    "not_a_decoder": {"is_decoder": False},
    "older_names": {"n_ctx": 20, "predict_special_tokens": True, "output_past": True},
    "other_families": {"layer_norm_eps": 0.1, "hidden_act": "relu", "intermediate_size": 20, "rotary_dim": 4},
    "window": {"sliding_window": 3, "attention_window": 3},
    "training_only": {"attn_pdrop": 0.9, "embd_pdrop": 0.9, "resid_pdrop": 0.9, "initializer_range": 9.0},
    "generation_only": {"use_cache": False, "temperature": 0.1, "no_repeat_ngram_size": 2},
    "halves": {"torch_dtype": "float16"},
    "sdpa": {"attn_implementation": "sdpa"},
    "pruned": {"pruned_heads": {"1": [0]}},
}


def logits(fixture, changes):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(fixture / "model.safetensors", folder)
        config = json.loads((fixture / "config.json").read_text()) | changes
        config = {key: value for key, value in config.items() if value is not None or key not in changes}
        (Path(folder) / "config.json").write_text(json.dumps(config))
        return torch.from_numpy(logits_of(folder, FIXTURE_IDS))[-1]


def make(options):
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    fixture = options.fixtures / "tiny-gpt2"
    golden = {name: logits(fixture, changes) for name, changes in CASES.items()}
    write_tensors(options.out / "hf_options.safetensors", golden)
    write_json(options.out / "hf_options.json", {"ids": FIXTURE_IDS, "cases": CASES})
