#!/bin/sh
# The whole job with the command line and jq: a dataset, a training, a test and an export.
#
#     examples/whole_job.sh STREAM ORIGINALS FOLDER [OPTION...]
#
# STREAM and ORIGINALS are a damaged video and its originals; results are written to FOLDER. The
# options say where it runs: --home HOME for this machine, --server URL for a server.
set -eu
stream=$1 originals=$2 folder=$3
shift 3
mkdir -p "$folder"

dataset=$(clearframe dataset create --stream "$stream" --originals "$originals" --name whole-job --json "$@" | jq -r .id)
clearframe train --dataset "$dataset" --name whole-job --epochs "${EPOCHS:-5}" --patch-size 32 --json "$@" > "$folder/model.json"
model=$(jq -r .id "$folder/model.json")
clearframe test split "$model" --json "$@" > "$folder/test.json"
clearframe export "$model" --format onnx --out "$folder/model.onnx" --json "$@" > "$folder/export.json"
clearframe jobs show "$model" --json "$@" | jq '{id, name, state}' > "$folder/job.json"

jq -r '.summary.best | "gain: \(."val/psnr" - ."val/psnr_input") dB"' "$folder/model.json"
