#!/usr/bin/env bash
# All that wants a GPU, for a machine that is lent for a quarter of an hour: tests/gpu/run.sh CALL [flags of run.py]
#
# CALL 1 (8 minutes): the CUDA tests, the timing table beside torch, the first steps of the night, shakespeare-char.
# CALL 2 (4 minutes): ncu on one step, compute-sanitizer on our kernels.
#
# Runs in a bundle (tests/gpu/bundle.sh) or in a checkout with build/cuda. Needs a driver for CUDA 13, and cuBLAS, cuDNN
# and NCCL, which torch's Python packages bring if the system has none.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

# Folders with the libraries of CUDA that torch's packages bring.
torch_libraries() {
  python3 - <<'END'
import glob, site, sys
for folder in {*site.getsitepackages(), *sys.path}:
    for found in sorted(glob.glob(f"{folder}/nvidia/*/lib")):
        print(found)
END
}

folders=$(torch_libraries | paste -sd: -)
export LD_LIBRARY_PATH="$PWD/lib:/usr/local/cuda/lib64:/usr/local/cuda/lib:$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec python3 tests/gpu/run.py "$@"
