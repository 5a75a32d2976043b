#!/usr/bin/env bash
# Puts the engine and other emulators of AWS to the same checks and writes what came of it:
# the table in tests/README.md, every difference in tests/conformance/RESULTS.md.
#
#   tests/conformance/compare.sh
#
# Installs the emulators from PyPI into target/emulators/ (once), starts each on a free port of
# loopback, ends them again. Exit codes: 0 the engine passed all and all emulators ran, 1 the engine
# failed a check, 2 an emulator could not be had (its column is then missing, which is said).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/conformance/emulators.sh
source "$here/emulators.sh"
cd "$emulators_root"
# Slow checks wait for deadlines of their own, 60 s each; this is for a suite that hangs.
SUITE_SECONDS_MAX=900
reports=$(mktemp -d)
trap 'stop_emulators; rm -rf "$reports"' EXIT
trap 'exit 130' INT TERM

# suite NAME [ARGUMENT...]: runs the checks, leaves NAME.json; failed checks are a result, not an error.
suite() {
    local name=$1 status=0
    shift
    CALLBOARD_CONFORMANCE_REPORT=$reports/$name.json \
        timeout "$SUITE_SECONDS_MAX" cargo test --quiet --package callboard-conformance --test conformance -- "$@" \
        >"$reports/$name.log" 2>&1 || status=$?
    grep '^test result' "$reports/$name.log" | sed "s/^/$name: /" || true
    if [ ! -s "$reports/$name.json" ]; then
        tail -n 30 "$reports/$name.log" >&2
        emulators_say "the suite did not run to its end against $name"
        return 1
    fi
    return "$status"
}

# compared NAME LABEL [ARGUMENT...]: starts the emulator, runs the checks, ends it.
compared() {
    local name=$1 label=$2 port
    shift 2
    port=$(free_port)
    if ! "start_$name" "$port"; then
        stop_emulators
        missing+=("$label")
        return
    fi
    CALLBOARD_CONFORMANCE_ENDPOINT=http://127.0.0.1:$port suite "$name" "$@" || true
    stop_emulators
    if [ -s "$reports/$name.json" ]; then columns+=("$label=$reports/$name.json"); else missing+=("$label"); fi
}

columns=() missing=() outcome=0
cargo build --quiet --package callboard-conformance --tests --bins
suite engine || outcome=1
[ -s "$reports/engine.json" ] || exit 1
columns+=("engine=$reports/engine.json")
compared ministack "ministack $MINISTACK_VERSION"
# Its DynamoDB is a Java server that it downloads when first called.
compared localstack "localstack-core $LOCALSTACK_VERSION" --skip dynamo::

notes=('localstack-core runs on the host, without a container; its DynamoDB is a server that it downloads, which is not done here, so that it was not run.')
for label in ${missing[@]+"${missing[@]}"}; do
    emulators_say "$label IS MISSING FROM THE TABLES: it could not be had here"
    notes+=("$label was not run: it could not be had where this table was made.")
    [ "$outcome" = 1 ] || outcome=2
done
cargo run --quiet --package callboard-conformance --bin conformance-tables -- \
    tests/README.md tests/conformance/RESULTS.md "${columns[@]}" -- "${notes[@]}"
[ "$outcome" != 1 ] || emulators_say 'the engine failed checks: see tests/conformance/RESULTS.md'
exit "$outcome"
