#!/usr/bin/env bash
# Serves every function by one `cargo lambda watch`, on loopback, each with the environment that it has
# in a running `callboard dev`. A function is built and started when it is first invoked, and again
# when its code changes.
#
#   . .callboard/env                                  of the running `callboard dev`
#   infra/scripts/lambda-watch.sh [OPTION...]         options of `cargo lambda watch`, as -P PORT
#   cargo lambda invoke -A 127.0.0.1 email-sender --data-file events/samples/email-sender/poison.json
#
# `cargo lambda watch` has one list of variables for all functions, but each has queues of its own.
# So cargo's `runner`, a command put before the binary, reads the function's own file first.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${CALLBOARD_FUNCTIONS_ENV:?is not set: start \`cargo callboard dev\`, then say  . .callboard/env}"
# Otherwise an invocation would wait for a function that cannot start.
[ -d "$CALLBOARD_FUNCTIONS_ENV" ] || {
    echo "lambda-watch: $CALLBOARD_FUNCTIONS_ENV is gone: that \`callboard dev\` has stopped" >&2
    exit 1
}
. infra/scripts/lambda-tools.sh
install_cargo_lambda

runner='["sh", "-c", ". \"$CALLBOARD_FUNCTIONS_ENV/${1##*/}\" && exec \"$@\"", "sh"]'
exec cargo lambda watch --invoke-address 127.0.0.1 --config "target.'cfg(all())'.runner=$runner" "$@"
