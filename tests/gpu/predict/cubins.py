"""Compiles the kernels for one GPU architecture after the other, without a GPU, and disassembles them."""
import functools
import hashlib
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sass

ROOT = Path(__file__).resolve().parents[3]
KEPT = ROOT / "build/cubins"
ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
SLOWEST_FIRST = ("flash_attention_float", "flash_attention_backward", "flash_attention_forward")


class ToolMissing(Exception):
    pass


def _tool(name, *places):
    found = next((str(p) for p in places if Path(p).exists()), None) or shutil.which(name)
    if not found:
        raise ToolMissing(f"no {name}: install the CUDA toolkit, or nvidia-cuda-{name} with pip into build/{name}")
    return found


def nvcc():
    return _tool("nvcc", "/usr/local/cuda/bin/nvcc")


def nvdisasm():
    return _tool("nvdisasm", *sorted((ROOT / "build/nvdisasm").glob("nvidia/*/bin/nvdisasm")))


def sources():
    found = sorted((ROOT / "common/kernels/cuda").glob("*.cu"))
    return sorted(found, key=lambda path: path.stem not in SLOWEST_FIRST)


@functools.cache
def compiler():
    lines = subprocess.run([nvcc(), "--version"], capture_output=True, text=True, check=True).stdout.splitlines()
    return next(line.split(", ")[-1] for line in lines if "release" in line)  # V13.0.88


@functools.cache
def _digest_of_headers():
    headers = [*(ROOT / "common").rglob("*.cuh"), *(ROOT / "common/kernels").glob("*.h"), *(ROOT / "common/tensor").glob("*.h")]
    return b"".join(hashlib.sha256(path.read_bytes()).digest() for path in sorted(headers)) + compiler().encode()


def _kernels(source, architecture):
    """Compiles, or takes from build/cubins what was compiled of the same text."""
    digest = hashlib.sha256(source.read_bytes() + _digest_of_headers()).hexdigest()[:16]
    stem = KEPT / f"{source.stem}.{architecture}.{digest}"
    log, listing = stem.with_suffix(stem.suffix + ".log"), stem.with_suffix(stem.suffix + ".sass")
    if not listing.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        cubin = stem.with_suffix(stem.suffix + ".cubin")
        command = [nvcc(), "-std=c++20", "-DNDEBUG", f"-I{ROOT}", f"-arch=sm_{architecture}", "-cubin", "-Xptxas", "-v",
                   "-o", str(cubin), str(source)]
        compiled = subprocess.run(command, capture_output=True, text=True, check=False)
        if compiled.returncode:
            raise SystemExit(f"{source.name} for compute capability {architecture}:\n{compiled.stderr}")
        log.write_text(compiled.stderr)
        listing.write_text(subprocess.run([nvdisasm(), "-c", str(cubin)], capture_output=True, text=True, check=True).stdout)
        cubin.unlink()
    return sass.kernels_of(source.stem, architecture, log.read_text(), listing.read_text())


def compiled(architectures):
    """{architecture: {name: Kernel}} of all kernels, compiled on every core."""
    jobs = [(source, a) for source in sources() for a in architectures]
    found = {a: {} for a in architectures}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (_, a), kernels in zip(jobs, pool.map(lambda job: _kernels(*job), jobs)):
            found[a].update(kernels)
    return found
