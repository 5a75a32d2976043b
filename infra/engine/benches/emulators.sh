#!/usr/bin/env bash
# The engine beside ministack and LocalStack, under one load: infra/engine/benches/emulators.sh
# Installs both (PyPI, target/emulators/), builds the benchmark and the example `serve`, and prints a
# table. Six minutes once all is built.
#
# Arguments go on to the benchmark: `--only 'cycles/s'` measures only what bears that in its name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
# shellcheck source=tests/conformance/emulators.sh
. tests/conformance/emulators.sh
trap stop_emulators EXIT

cargo build --quiet -p callboard-engine --example serve
cargo bench --quiet --no-run -p callboard-engine --bench emulators

ministack=$(free_port)
start_ministack "$ministack"
localstack=$(free_port)
start_localstack "$localstack"
emulators_install boto3 10 boto3==1.44.5

cargo bench --quiet -p callboard-engine --bench emulators -- \
    --ministack "$ministack" --localstack "$localstack" \
    --dev "$(realpath "${CARGO_TARGET_DIR:-target}")/debug/examples/serve" \
    --python "$emulators_home/boto3/bin/python" "$@"
