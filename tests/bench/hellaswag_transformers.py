"""HellaSwag by transformers, item by item: the independent judge of common/eval/hellaswag.cpp.

    python tests/bench/hellaswag_transformers.py MODEL FILE [--items N] [--tokenizer DIR]

MODEL is a directory that transformers opens, DIR holds vocab.bpe and encoder.json (without it a token is a byte, in
the order of GPT-2's ids). Prints a line for each item: its number, the right ending, the model's by the sum of the
ending's cross entropy and by its mean.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import GPT2LMHeadModel


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("file", type=Path)
    parser.add_argument("--items", type=int)
    parser.add_argument("--tokenizer", type=Path)
    return parser.parse_args()


def encoder(folder):
    if folder is None:
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        order = printable + [byte for byte in range(256) if byte not in printable]
        ids = {byte: i for i, byte in enumerate(order)}
        return lambda text: [ids[byte] for byte in text.encode()]
    import tiktoken
    from tiktoken.load import data_gym_to_mergeable_bpe_ranks
    from tiktoken_ext.openai_public import r50k_pat_str

    ranks = data_gym_to_mergeable_bpe_ranks(str(folder / "vocab.bpe"), str(folder / "encoder.json"))
    encoding = tiktoken.Encoding("gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary


def ending_losses(model, context, ending):
    """Of each of the ending's tokens, in one row of its own: no padding, no mask."""
    block = model.config.n_positions
    ids = torch.tensor(context + ending)[-block:]
    logits = model(ids[None]).logits[0, :-1]
    return F.cross_entropy(logits.double(), ids[1:], reduction="none")[-len(ending):]


def main():
    options = parse_arguments()
    model = GPT2LMHeadModel.from_pretrained(options.model).eval()
    encode = encoder(options.tokenizer)
    for number, line in enumerate(options.file.read_text().splitlines()[: options.items]):
        item = json.loads(line)
        context = encode(item["ctx"])
        endings = [encode(" " + ending) for ending in item["endings"]]
        excess = max(0, len(context) + max(map(len, endings)) - model.config.n_positions)
        with torch.no_grad():
            losses = [ending_losses(model, context[excess:], ending) for ending in endings]
        sums = torch.stack([loss.sum() for loss in losses])
        means = torch.stack([loss.mean() for loss in losses])
        print(number, item["label"], sums.argmin().item(), means.argmin().item())


if __name__ == "__main__":
    main()
