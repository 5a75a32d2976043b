#!/usr/bin/env bash
# Runs the end-to-end tests, and the commands of the people on call, with SQS and SNS on LocalStack;
# DynamoDB and its streams are the engine's, for LocalStack's own needs a download of a Java server. No
# account, no Docker: localstack-core comes from PyPI into target/emulators.
#
#   infra/scripts/localstack.sh                   install, start, test, stop
#   infra/scripts/localstack.sh --endpoint URL    a LocalStack that runs already (the Docker image,
#                                                 say), for SQS, SNS and DynamoDB alike
#
# PYTHON (for an endpoint of yours; python3 unless set) has boto3.
# The tests make queues, topics and tables under names of their own and leave them there.
# Exit codes: 0 passed or skipped, 1 failed, 2 not tested (with CALLBOARD_CI_STRICT=1 in place of a
# skip).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
dev_pid='' dev_home=''

end_dev() {
    [ -z "$dev_pid" ] || { kill "$dev_pid" && wait "$dev_pid"; } 2>/dev/null || true
    [ -z "$dev_home" ] || rm -rf "$dev_home"
}

# A system of its own, its story, and infra/scripts/try-operations.sh on it.
operate() {
    local callboard=${CARGO_TARGET_DIR:-target}/debug/callboard
    cargo build --quiet --package callboard-cli
    dev_home=$(mktemp -d)
    "$callboard" dev --ephemeral --port 0 --engine-port 0 --mailbox-port 0 --smtp-port 0 --quiet \
        --parameter HoldGraceSeconds=1 --env-file "$dev_home/env" --endpoint-sqs "$endpoint" \
        --endpoint-sns "$endpoint" ${AWS_ENDPOINT_URL_DYNAMODB:+--endpoint-dynamodb "$endpoint"} \
        >"$dev_home/log" 2>&1 &
    dev_pid=$!
    until [ -f "$dev_home/env" ]; do
        kill -0 "$dev_pid" || {
            cat "$dev_home/log" >&2
            return 1
        }
        sleep 0.1
    done
    "$callboard" demo --env-file "$dev_home/env" >"$dev_home/story" || {
        cat "$dev_home/story" >&2
        return 1
    }
    PYTHON=${PYTHON:-python3} infra/scripts/try-operations.sh "$dev_home/env" "$callboard"
}

case "${1:-}" in
'')
    . tests/conformance/emulators.sh
    trap 'end_dev; stop_emulators' EXIT
    port=$(free_port)
    if ! start_localstack "$port"; then
        echo 'localstack: NOT TESTED: localstack-core could not be started' >&2
        [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
        exit 0
    fi
    endpoint=http://127.0.0.1:$port
    unset AWS_ENDPOINT_URL_DYNAMODB
    PYTHON=$emulators_home/localstack/bin/python
    ;;
--endpoint)
    endpoint=${2:?an URL is missing}
    export AWS_ENDPOINT_URL_DYNAMODB=$endpoint
    trap end_dev EXIT
    ;;
*)
    sed -n '2,/^set/{s/^# \{0,1\}//;/^set/d;p}' "$0"
    exit 1
    ;;
esac

echo "SQS and SNS at $endpoint"
# One CPU-bound Python process serves all: more tests side by side only wait for each other.
AWS_ENDPOINT_URL_SQS=$endpoint AWS_ENDPOINT_URL_SNS=$endpoint \
    cargo test --package callboard-tests --test it -- --test-threads 2 end_to_end:: answers::
operate
