#!/usr/bin/env bash
# Runs the end-to-end tests with SQS and SNS on LocalStack; DynamoDB and its streams are the engine's,
# for LocalStack's own needs a download of a Java server. No account, no Docker: localstack-core comes
# from PyPI into target/emulators.
#
#   infra/scripts/localstack.sh                   install, start, test, stop
#   infra/scripts/localstack.sh --endpoint URL    a LocalStack that runs already (the Docker image,
#                                                 say), for SQS, SNS and DynamoDB alike
#
# The tests make queues, topics and tables under names of their own and leave them there.
# Exit codes: 0 passed or skipped, 1 failed, 2 not tested (with CALLBOARD_CI_STRICT=1 in place of a
# skip).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case "${1:-}" in
'')
    . tests/conformance/emulators.sh
    trap stop_emulators EXIT
    port=$(free_port)
    if ! start_localstack "$port"; then
        echo 'localstack: NOT TESTED: localstack-core could not be started' >&2
        [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
        exit 0
    fi
    endpoint=http://127.0.0.1:$port
    unset AWS_ENDPOINT_URL_DYNAMODB
    ;;
--endpoint)
    endpoint=${2:?an URL is missing}
    export AWS_ENDPOINT_URL_DYNAMODB=$endpoint
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
