"""The products of gemm_study.cpp by torch, as its eager step makes them (run both on an otherwise idle machine).

    python tests/bench/gemm_study.py --tokens 1024 --seq 256
"""

import argparse
import time

import torch
from torch.nn.functional import linear


def best(work, gflop):
    seconds = []
    for _ in range(int(min(200, max(6, 120 / gflop)))):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def linear_products(name, tokens, n_in, n_out, calls, with_bias=True):
    x, dy = torch.randn(tokens, n_in), torch.randn(tokens, n_out)
    w, bias = torch.randn(n_out, n_in), torch.randn(n_out) if with_bias else None
    gflop = 2e-9 * tokens * n_in * n_out
    yield f"{name} y", gflop, calls, lambda: linear(x, w, bias)
    yield f"{name} dx", gflop, calls, lambda: dy.mm(w)
    yield f"{name} dW", gflop, calls, lambda: dy.t().mm(x)


def attention_products(tokens, T, C, layers, heads):
    B, hs = tokens // T, C // heads
    qkv = torch.randn(B, T, 3 * C)
    q, k, v = (part.view(B, T, heads, hs).transpose(1, 2) for part in qkv.split(C, dim=2))
    att = torch.randn(B, heads, T, T)
    gflop = 2e-9 * B * heads * T * T * hs
    yield "q k^T", gflop, 2 * layers, lambda: q @ k.transpose(-2, -1)
    yield "att v", gflop, 2 * layers, lambda: att @ v
    yield "att^T dy", gflop, 2 * layers, lambda: att.transpose(-2, -1) @ v


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--seq", type=int, default=256)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    layers, C, total = 12, 768, 0.0
    print(f"torch {torch.__version__}, {args.threads} threads, {args.tokens} tokens")
    for products in (
        linear_products("c_attn", args.tokens, C, 3 * C, layers),
        attention_products(args.tokens, args.seq, C, layers, 12),
        linear_products("c_proj", args.tokens, C, C, layers),
        linear_products("mlp.c_fc", args.tokens, C, 4 * C, layers),
        linear_products("mlp.c_proj", args.tokens, 4 * C, C, layers),
        linear_products("lm_head", args.tokens, C, 50257, 1, with_bias=False),
    ):
        for name, gflop, calls, work in products:
            seconds = best(work, gflop)
            total += calls * seconds
            print(f"{name:14}{gflop / seconds:8.1f} GFLOP/s", flush=True)
    print(f"ms of a step {1e3 * total:10.1f}")


if __name__ == "__main__":
    main()
