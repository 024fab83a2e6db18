"""llm.c and our programs on the same work: model files, training, HellaSwag files, logs.

  llmc.py --llmc FOLDER [--bin build/cpu/bin] [--hellaswag data/hellaswag/hellaswag_val_1000.jsonl]

FOLDER is a clone of https://github.com/karpathy/llm.c. Needs torch, numpy, transformers (its tokenizer), gcc,
data/gpt2 (./course data gpt2), and the programs 02_hf_weights, 13_fineweb, convert, tokenize and tales.

Each check prints a line of a table in Markdown; the exit status is 1 if one fails. llm.c's train_gpt2.c is compiled in a
temporary folder, with two changes: its loader does not shuffle, because its order is not ours, and it ends after ten
steps.
"""

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import numpy
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
STEPS = 10
# The settings that train_gpt2.c has no flags for.
TRAINING = ("--dtype fp32 --matmul-precision highest --batch 4 --seq 64 --total-batch 256 --order video "
            "--max-lr 1e-4 --min-lr 1e-4 --warmup 0 --weight-decay 0 --beta2 0.999 --grad-clip 0").split()

failed = False


def report(what, result, ok):
    global failed
    failed |= not ok
    print(f"| {what} | {result} | {'yes' if ok else 'NO'} |", flush=True)


def run(*command, folder=None):
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"llmc.py: {' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


def module_of(path):
    """A Python file of llm.c as a module. What it would download with is not needed."""
    for name in ("requests", "tqdm"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["tqdm"].__dict__.setdefault("tqdm", None)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def relative(a, b):
    a, b = numpy.asarray(a, dtype=numpy.float64), numpy.asarray(b, dtype=numpy.float64)
    assert a.shape == b.shape and a.size > 0, (a.shape, b.shape)
    return float(numpy.max(numpy.abs(a - b)) / numpy.max(numpy.abs(b)))  # NaN if there is one


def events(log, name):
    return [event for event in map(json.loads, log.read_text().splitlines()) if event["event"] == name]


def model_files(llmc, bin, work):
    """Files that llm.c wrote open here with equal logits, and ours are the same bytes."""
    torch.manual_seed(1)
    config = llmc.GPTConfig(block_size=128, vocab_size=50257, n_layer=3, n_head=4, n_embd=64)
    model = llmc.GPT(config)
    for parameter in model.parameters():  # biases and LayerNorms that no mistake leaves equal
        parameter.data += 0.02 * torch.randn_like(parameter)
    ids = torch.randint(50257, (1, 50))
    for dtype, name in (("float32", "fp32"), ("bfloat16", "bf16")):
        written, ours = work / f"{name}.bin", work / f"{name}_ours.bin"
        llmc.print = lambda *args: None
        llmc.write_model(model, written, dtype)
        run(bin / "02_hf_weights", "--model", written, "--ids", ",".join(map(str, ids[0].tolist())), "--logits",
            work / "logits.npy")
        if name == "bf16":
            model.load_state_dict({key: value.bfloat16().float() for key, value in model.state_dict().items()})
        with torch.no_grad():
            expected = model(ids, ids)[0][0]
        difference = relative(numpy.load(work / "logits.npy"), expected)
        report(f"a {name} file of train_gpt2.py opens with its logits", f"{difference:.1e}", difference <= 1e-5)
        run(bin / "convert", written, "--out", work / f"{name}_folder")
        run(bin / "convert", work / f"{name}_folder", "--out", ours, "--dtype", name)
        same = written.read_bytes() == ours.read_bytes()
        report(f"that file to a Hugging Face folder and back ({name})", f"{ours.stat().st_size} bytes", same)
    return work / "fp32_folder"


def training(llmc_folder, bin, work, folder):
    """train_gpt2.c reads the model that convert wrote, and our token shards; the losses are ours."""
    run(bin / "convert", folder, "--out", work / "gpt2_124M.bin")
    (work / "text.txt").write_text(run(bin / "tales", "--bytes", 400_000))
    run(bin / "tokenize", work / "text.txt", "--tokenizer", ROOT / "data/gpt2", "--out", work / "shards", "--prefix", "t")
    data = work / "dev/data/tinyshakespeare"
    data.mkdir(parents=True)
    for part in ("train", "val"):
        shard, = (work / "shards").glob(f"t_{part}_*.bin")
        shard.rename(data / f"tiny_shakespeare_{part}.bin")
    source = (llmc_folder / "train_gpt2.c").read_text()
    for old, new in (("&train_loader, train_tokens, B, T, 0, 1, 1)", "&train_loader, train_tokens, B, T, 0, 1, 0)"),
                     ("step <= 40;", f"step < {STEPS};")):
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    (work / "train.c").write_text(source)
    run("gcc", "-O3", "-march=native", "-fopenmp", f"-I{llmc_folder}", work / "train.c", "-o", work / "train", "-lm")
    peer = run(work / "train", folder=work)
    expected = [float(loss) for loss in re.findall(r"step \d+: train loss ([0-9.]+)", peer)]
    run(bin / "13_fineweb", "--device", "cpu", "--model", work / "gpt2_124M.bin", "--data",
        data / "tiny_shakespeare_train.bin", "--steps", STEPS, "--out", work / "run", *TRAINING)
    losses = [event["loss"] for event in events(work / "run/log.jsonl", "step")]
    difference = relative(losses, expected)
    report(f"{STEPS} losses of train_gpt2.c from {expected[0]:.4f} to {expected[-1]:.4f}", f"{difference:.1e}",
           len(expected) == STEPS and difference <= 1e-4)


def hellaswag(common, bin, work, path):
    """llm.c's file of the items gives the score of the text."""
    tokenizer = transformers.GPT2Tokenizer(vocab=str(ROOT / "data/gpt2/encoder.json"),
                                           merges=str(ROOT / "data/gpt2/vocab.bpe"))
    lines = path.read_text().splitlines()[:60]
    items = []
    for item in map(json.loads, lines):
        items.append({"label": int(item["label"]), "ctx_tokens": tokenizer.encode(item["ctx"]),
                      "ending_tokens": [tokenizer.encode(" " + ending) for ending in item["endings"]]})
    (work / "items.jsonl").write_text("\n".join(lines) + "\n")
    common.print = lambda *args: None
    common.write_evalfile(str(work / "items.bin"), items)
    scores = {}
    for name in ("items.jsonl", "items.bin"):
        run(bin / "13_fineweb", "--device", "cpu", "--model", work / "gpt2_124M.bin", "--data",
            work / "dev/data/tinyshakespeare/tiny_shakespeare_train.bin", "--steps", 1, "--hellaswag", work / name,
            "--hellaswag-every", 1, "--log", work / f"{name}.log", *TRAINING)
        scores[name] = [{key: event[key] for key in ("acc", "acc_norm", "items")}
                        for event in events(work / f"{name}.log", "hellaswag")]
    report("its HellaSwag file gives the scores of the text", f"{len(lines)} items",
           scores["items.bin"] == scores["items.jsonl"] != [])


def notebook(llmc_folder, work):
    """The parser in llm.c's notebook reads the main.log of our run."""
    cells = json.loads((llmc_folder / "dev/vislog.ipynb").read_text())["cells"]
    source, = ("".join(cell["source"]) for cell in cells if "def parse_logfile" in "".join(cell["source"]))
    scope = {}
    exec(source[:source.rindex("parse_logfile(")], scope)
    streams = {name: list(points) for name, points in scope["parse_logfile"](work / "run/main.log").items()}
    losses = [event["loss"] for event in events(work / "run/log.jsonl", "step")]
    steps, values = streams["trl"]
    report("its notebook reads our main.log", f"{len(steps)} steps",
           list(steps) == list(range(STEPS)) and [f"{value:.4f}" for value in losses] == [f"{value:.4f}" for value in values])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llmc", type=Path, required=True)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/cpu/bin")
    parser.add_argument("--hellaswag", type=Path, default=ROOT / "data/hellaswag/hellaswag_val_1000.jsonl")
    options = parser.parse_args()
    llmc_folder, bin = options.llmc.resolve(), options.bin.resolve()
    print("| check | result | as it should be |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        converted = model_files(module_of(llmc_folder / "train_gpt2.py"), bin, work)
        training(llmc_folder, bin, work, converted)
        hellaswag(module_of(llmc_folder / "dev/data/data_common.py"), bin, work, options.hellaswag)
        notebook(llmc_folder, work)
    sys.exit(failed)


if __name__ == "__main__":
    main()
