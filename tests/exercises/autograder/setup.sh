#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image: packages, the library for every x86-64-v3 machine, and
# the tests, so that for a submission only the student's files are compiled.
set -euo pipefail
cd /autograder/source/course
chmod +x course tests/exercises/run common/doctor
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update && apt-get -qq install -y --no-install-recommends python3 jq binutils
tests/exercises/run exercise prepare -DGPT2_NATIVE=OFF -DCMAKE_CXX_FLAGS=-march=x86-64-v3
private=()
[[ ! -d ../private ]] || private=(--private ../private)
python3 tests/exercises/tool exercise prepare --tests ${private[@]+"${private[@]}"}
chmod -R o+rX /autograder/source/course
[[ ! -d /autograder/source/private ]] || chmod -R go= /autograder/source/private
