"""saved_tokenizer/tokenizer.json: a small byte-level BPE with added tokens, as transformers saves it; saved_tokenizer.json:
the ids that transformers gives for texts. Texts are hexadecimal.
"""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2TokenizerFast

from golden_io import write_json

TEXTS = [
    "",
    "Once upon a time there was a fox. The fox was sad.\r\n",
    "the fox<|endoftext|>Once",
    "<|endoftext|><|endoftext|>",
    "a <|user|> said: [PAD][PAD] <|user",
    "good dayXgood day!good  day",
    "<|us<|user|>er|>",
    "naïve café 🙂\t\x1b[31m",
]
CORPUS = "Once upon a time there was a fox who lived by the river. The fox was sad, the river was cold. " * 3


def trained():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator([CORPUS], trainer)
    return GPT2TokenizerFast(tokenizer_object=tokenizer)


def make(options):
    tokenizer = trained()
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.add_tokens(["<|user|>", "<|us", AddedToken("good day", normalized=True)])
    tokenizer.save_pretrained(options.out / "saved_tokenizer")
    (options.out / "saved_tokenizer/tokenizer_config.json").unlink()
    texts = [{"text": text.encode().hex(), "ids": tokenizer(text)["input_ids"]} for text in TEXTS]
    write_json(options.out / "saved_tokenizer.json", {"size": len(tokenizer), "texts": texts})
