#!/usr/bin/env bash
# Deploys infra/template.yaml with `sam deploy` to an emulator of AWS on this machine, with real
# bootstrap binaries, plays the whole story of `callboard demo` on it through the HTTP API, SNS, SQS,
# event source mappings and the table's stream, and tears it down. No account, no Docker.
#
#   infra/scripts/emulated-deployment.sh [--keep]
#
# --keep leaves emulator and mailbox running until Ctrl-C, and says where they are.
#
# Where the emulator or sam cannot be had, nothing is tested and a word on stderr says why;
# CALLBOARD_CI_STRICT=1 makes that an error.
# Exit codes: 0 done or skipped, 1 a step failed, 2 not tested.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
script=emulated-deployment
. infra/scripts/emulated-stack.sh
built=$target/emulated

install_sam_tools || skip 'sam could not be installed'
step 'sam is here'
# shellcheck disable=SC2046 # several words
cargo build --quiet $(function_packages) --package callboard-cli
package . "$binaries" "$built"
step 'bootstraps are built (dev profile)'
start_stack_emulator "$built"
deploy "$built"
step 'deployed by change set'
write_env "$built/env"
"$binaries/callboard" demo --env-file "$built/env"
step 'the story was told'
PYTHON=$venv/bin/python infra/scripts/try-operations.sh "$built/env" "$binaries/callboard"
step 'dead letters, trace and lag were tried'
if [ "${1:-}" = --keep ]; then
    echo "Names and addresses:  . $built/env      (Ctrl-C ends it)"
    wait "$EMULATOR_PID"
fi
tear_down
step 'torn down: nothing left but the retained tables'
