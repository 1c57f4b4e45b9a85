#!/bin/bash
# Check Clearframe on a machine with a GPU, in less than ten minutes: scripts/gpu_check.sh [FOLDER]
#
# Needs `make setup-dev`. Each part has a time limit, and a part that fails does not stop the others.
# FOLDER (default: a new one in /tmp) gets the output of each part and gpu_check.json with the results
# of all. The exit status is the number of parts that failed.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
out=$(realpath -m "${1:-$(mktemp -d /tmp/clearframe-gpu-XXXXXX)}")
mkdir -p "$out"
failed=0 number=0

part() { # NAME SECONDS COMMAND…
  local name=$1 seconds=$2
  shift 2
  echo "== $name $(date +%T)"
  timeout "$seconds" "$@" >"$out/$name.txt" 2>&1
  local status=$?
  echo "$status" >"$out/$name.status"
  [ $status -eq 0 ] || failed=$((failed + 1))
  tail -n 5 "$out/$name.txt"
}

export PYTHONPATH=. CUDA_DEVICE_ORDER=PCI_BUS_ID
part smi 20 nvidia-smi -q -d MEMORY,PIDS,COMPUTE
part nvml 20 $python scripts/gpu_check.py nvml
part doctor 60 .venv/bin/clearframe doctor --home "$out/home"
part tests 150 $python -m pytest -q --timeout=140 -n 6 tests/models tests/jobs/test_devices.py \
  tests/jobs/training/test_{train,placement,solvers,learner,little_memory}.py \
  tests/jobs/inference/test_{image,many}.py tests/jobs/networks/test_{channel,cuda_graph}.py
part data 30 $python scripts/gpu_check.py data "$out/home"
# Waits for the GPU, found by PyTorch: a step has none.
for settings in '{}' '{"cuda_graph": false}' '{"ema": 0.99}' '{"precision": "float16", "gradient_clip": 1}' '{"loss": {"name": "ms-ssim"}}'; do
  part "waits-$((++number))" 30 $python scripts/gpu_check.py waits "$out/home" "$settings"
done
# Steps as a CUDA graph: the times that were measured, and the same scores as kernel by kernel.
for settings in '{}' '{"precision": "float32"}' '{"precision": "float16", "gradient_clip": 1}' \
  '{"loss": {"name": "ms-ssim"}}' '{"network": {"name": "vrcnn"}, "batch_size": 256}'; do
  part "graph-$((++number))" 45 $python scripts/gpu_check.py graph "$out/home" "$settings"
done
for settings in '{"precision": "float32"}' '{"precision": "tf32"}' '{"precision": "bfloat16"}' \
  '{"precision": "float16"}' '{"compile": true}'; do
  part "speed-$((++number))" 45 $python scripts/gpu_check.py speed "$out/home" "$settings"
done
part training 180 $python benchmarks/training.py --device cuda --batch 512 --seconds 4 --rounds 1 --folder "$out"
part profile 45 $python scripts/gpu_check.py profile
part test_one 60 $python benchmarks/test_one.py --size 1920x1080 3840x2160 --tests 3
part processes 10 nvidia-smi --query-compute-apps=pid,used_memory --format=csv
$python scripts/gpu_check.py collect "$out" >"$out/gpu_check.json"
echo "$out/gpu_check.json: $failed parts failed"
exit $failed
