"""tokenizer.json: what tiktoken makes of texts, and which characters its pattern takes for letters, numbers and
white space. Texts are hexadecimal, their ids GPT-2's; classes are ranges [first, last] of code points.
"""

import random
from itertools import groupby

import tiktoken
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tiktoken_ext.openai_public import r50k_pat_str

from golden_io import write_json

LINES = [
    "",
    "hello world",
    "indivisible",
    "Hello, I'm a language model,",
    "Egg.\nI have an Egg.\negg.\nEGG.",
    "127 + 677 = 804\n1275 + 6773 = 8041",
    "I'll we've they're he'd it's don't I'm I'LL 'tis ''s 'x",
    "tabs\tand  two   three\n\n newlines \r\n  at the end  ",
    "<|endoftext|>",
    "def f(x):\n    if x % 3 == 0:\n        return 'fizz'\n",
    "naïve café, Straße, Ελληνικά, русский, 안녕하세요, こんにちは 世界, हिन्दी, עברית",
    "🙂👍🏽👩‍👩‍👧‍👦 e\u0301 ½ Ⅷ ² ٣ 𝟘",
    "a\u00a0b\u2003c\u3000d\u0085e\u180ef\u200bg\u001ch\ufeffi",
]


def random_texts():
    generator = random.Random(1337)
    alphabets = ["ab 1'!\nsdmtlver", " \t\n\u00a0\u2028a1!'", "é日 1𝟘½🙂'\u0301\u180e"]
    for length in (5, 30, 200):
        yield from ("".join(generator.choices(alphabet, k=length)) for alphabet in alphabets)
        yield "".join(chr(generator.choice((0x20, 0x3000, 0xD000)) + generator.randrange(0x800)) for _ in range(length))


def classes():
    """Tokens "a?", "1?", "!?" and "\\n?" (? is any byte) show which of the four a character follows in one piece."""
    kinds = {"letter": b"a", "number": b"1", "other": b"!", "white_space": b"\n"}
    tokens = [bytes([b]) for b in range(256)]
    tokens += [lead + bytes([b]) for lead in kinds.values() for b in range(256)]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    encoding = tiktoken.Encoding("classes", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={})

    def kind_of(code_point):
        if 0xD800 <= code_point < 0xE000:
            return None
        follows = [k for k, lead in kinds.items() if encoding.encode_ordinary(lead.decode() + chr(code_point))[0] > 255]
        assert len(follows) == 1, hex(code_point)
        return follows[0]

    ranges = {kind: [] for kind in kinds if kind != "other"}
    for kind, run in groupby(range(0x110000), kind_of):
        if kind in ranges:
            run = list(run)
            ranges[kind].append([run[0], run[-1]])
    return ranges


def make(options):
    ranks = data_gym_to_mergeable_bpe_ranks(str(options.gpt2 / "vocab.bpe"), str(options.gpt2 / "encoder.json"))
    encoding = tiktoken.Encoding("gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={})
    texts = [
        {"text": text.encode().hex(), "ids": encoding.encode_ordinary(text)}
        for text in [*LINES, *random_texts()]
    ]
    assert texts[1]["ids"] == [31373, 995] and texts[2]["ids"] == [521, 452, 12843]
    write_json(options.out / "tokenizer.json", {"unicode": "16.0", "texts": texts, "classes": classes()})
