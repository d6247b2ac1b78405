#!/bin/sh
# Install a wheel in a clean environment, outside the checkout, and type the first hour there: each
# of the five verbs on data that are made on the spot.
# usage: try_wheel.sh PYTHON WHEEL    (TORCH_INDEX=URL: an index of CPU builds of torch)
set -eu
python=$(command -v "$1"); wheel=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
cd "$place"
"$python" -m venv env
if [ -n "${TORCH_INDEX:-}" ]; then env/bin/pip install -q --index-url "$TORCH_INDEX" --no-deps torch; fi
env/bin/pip install -q "$wheel"
unset PYTHONPATH
export OMP_NUM_THREADS=1
began=$(date +%s)
try() { echo "betaplus $*"; "$place/env/bin/betaplus" "$@"; }
blood=data/sub-01_recording-manual_blood.tsv
try --version
try doctor
try simulate dynamic -o data --quiet
try info data/sub-01_pet.nii.gz
try kinetics data/sub-01_tacs.tsv --blood $blood -o regions --quiet
try patlak data/sub-01_pet.nii.gz --blood $blood --method wls -o ki --quiet
try simulate static --anatomy body --dose-fraction 0.1 -o few --quiet
try denoise few/sub-01_pet.nii.gz -o clean --quiet
try simulate dual --tracers FMZ,FDG --delay 1200 -o dual --quiet
try separate dual/sub-01_pet.nii.gz --tracers FMZ,FDG --delay 1200 -o two --quiet
try simulate raw --counts 3e6 -o raw --quiet
try reconstruct raw/sub-01_raw.zarr --method osem -o image --quiet
for report in regions ki clean two image; do test -s $report/sub-01_*_report.html; done
echo "the wheel works: $(basename "$wheel"), five verbs in $(($(date +%s) - began)) s"
