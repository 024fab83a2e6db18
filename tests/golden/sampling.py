"""sampling.json: ids that the video's sampling loop draws from the fixture model of hf.py (made first).

Every sequence is the prompt and 30 ids more: 5 sequences in one batch, top-k 50, at temperature 1 and
0.8, each batch from a fresh torch.Generator("cpu").manual_seed(42); and the one of greedy decoding.
`margin` says how safe a comparison of ids is: the smallest relative change of a probability that could
have changed one of them.
"""

import torch
from torch.nn import functional as F
from transformers import GPT2LMHeadModel

from golden_io import write_json

PROMPT = list("Once up".encode())
SEED, TOP_K, SEQUENCES, NEW_TOKENS = 42, 50, 5, 30


def prompt_ids():
    """The prompt in the byte vocabulary: '!' to '~' are the ids 0 to 93, the space is 220."""
    return [220 if byte == ord(" ") else byte - ord("!") for byte in PROMPT]


def gap(a, b):
    return ((a - b).abs() / torch.maximum(a, b)).min().item()


def margin_of(probs, choice, q):
    """Relative gaps: from the best p / q to the second, and from the winner's p to the ranks beside it."""
    k = q.size(-1)
    scores = (probs[:, :k] / q).sort(dim=-1, descending=True).values
    margins = [gap(scores[:, 0], scores[:, 1])]
    winner = probs.gather(-1, choice)
    margins.append(gap(winner, probs.gather(-1, choice + 1)))
    above = choice > 0
    if above.any():
        margins.append(gap(winner[above], probs.gather(-1, (choice - 1).clamp(min=0))[above]))
    return min(margins)


@torch.no_grad()
def sample(model, temperature):
    x = torch.tensor([prompt_ids()] * SEQUENCES)  # (5, 7)
    sample_rng = torch.Generator(device="cpu").manual_seed(SEED)
    twin = torch.Generator(device="cpu").manual_seed(SEED)
    margin = 1.0
    while x.size(1) < len(PROMPT) + NEW_TOKENS:
        logits = model(x).logits[:, -1, :] / temperature  # (5, V)
        probs = F.softmax(logits, dim=-1)
        topk_probs, topk_indices = torch.topk(probs, TOP_K, dim=-1)
        ix = torch.multinomial(topk_probs, 1, generator=sample_rng)  # (5, 1)
        xcol = torch.gather(topk_indices, -1, ix)
        x = torch.cat((x, xcol), dim=1)
        q = torch.empty_like(topk_probs).exponential_(1, generator=twin)
        assert torch.equal((topk_probs / q).argmax(-1, keepdim=True), ix)
        margin = min(margin, margin_of(probs.sort(dim=-1, descending=True).values, ix, q))
    return {"temperature": temperature, "margin": margin, "ids": x.tolist()}


@torch.no_grad()
def greedy(model):
    x, margin = torch.tensor([prompt_ids()]), 1.0
    for _ in range(NEW_TOKENS):
        logits = model(x).logits[:, -1, :]
        probs = F.softmax(logits, dim=-1).topk(2).values
        margin = min(margin, gap(probs[:, 0], probs[:, 1]))
        x = torch.cat((x, logits.argmax(-1, keepdim=True)), dim=1)
    return {"margin": margin, "ids": x[0].tolist()}


def make(options):
    model = GPT2LMHeadModel.from_pretrained(
        options.fixtures / "tiny-gpt2", attn_implementation="eager"
    ).eval()
    golden = {"prompt": prompt_ids(), "seed": SEED, "top_k": TOP_K}
    golden |= {"sampled": [sample(model, 1.0), sample(model, 0.8)], "greedy": greedy(model)}
    write_json(options.out / "sampling.json", golden)
    assert min(case["margin"] for case in [*golden["sampled"], golden["greedy"]]) > 1e-4
