#!/bin/sh
# How do decisions, memory and the burst at the reset grow with the number of recipients that have
# something pending? bench_gate at 10^3 .. 10^6, as scale_N.NAME value unit; the curve is drawn into
# bench/scale.svg (SVG= to leave it).
set -eu
cd "$(dirname "$0")/.."
export BUILD="${BUILD:-build/gcc}" SVG="${SVG-bench/scale.svg}"
exec python3 bench/scale.py
