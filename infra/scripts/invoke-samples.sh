#!/usr/bin/env bash
# Invokes every sample of events/samples by `cargo lambda invoke`, on `cargo lambda watch` and a fresh
# `callboard dev` in memory, and compares each answer with events/samples/answers.json.
#
#   infra/scripts/invoke-samples.sh
#
# cargo-lambda is taken from PATH or installed from PyPI into target/cargo-lambda. Where it cannot be
# had, nothing is tested and a word on stderr says why; CALLBOARD_CI_STRICT=1 makes that an error.
# Exit codes: 0 all as documented or skipped, 1 not as documented, 2 not tested.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. infra/scripts/lambda-tools.sh
binaries=${CARGO_TARGET_DIR:-$PWD/target}/debug
# The whole start takes less than a second; a loaded machine takes its time.
readonly START_SECONDS_MAX=60

if ! install_cargo_lambda; then
    echo 'invoke-samples: NOT TESTED: cargo-lambda could not be installed' >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
fi

packages=(--package callboard-cli)
for manifest in functions/*/Cargo.toml; do
    packages+=(--package "$(basename "$(dirname "$manifest")")")
done
cargo build --quiet "${packages[@]}"

work=$(mktemp -d)
pids=()
finish() {
    local status=$?
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    [ "$status" = 0 ] || tail -n 40 "$work"/*.log >&2
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT

# await WHAT COMMAND...: until it succeeds, the last process started has ended, or it took too long.
await() {
    local what=$1 deadline=$((SECONDS + START_SECONDS_MAX))
    shift
    until "$@" 2>/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "${pids[-1]}" 2>/dev/null; then
            echo "invoke-samples: $what did not start" >&2
            return 1
        fi
        sleep 0.1
    done
}

# Endpoints of the caller would take the functions elsewhere.
unset AWS_ENDPOINT_URL_DYNAMODB AWS_ENDPOINT_URL_SNS AWS_ENDPOINT_URL_SQS AWS_SESSION_TOKEN AWS_PROFILE
"$binaries/callboard" dev --ephemeral --quiet --port 0 --engine-port 0 --mailbox-port 0 --smtp-port 0 \
    --env-file "$work/env" >"$work/dev.log" 2>&1 &
pids+=($!)
await 'callboard dev' grep -q '^Ready' "$work/dev.log"
. "$work/env"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
infra/scripts/lambda-watch.sh --invoke-port "$port" --ignore-changes >"$work/watch.log" 2>&1 &
pids+=($!)
await 'cargo lambda watch' bash -c ": </dev/tcp/127.0.0.1/$port"

python3 infra/scripts/invoke-samples.py "$port"
