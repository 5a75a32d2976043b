#!/usr/bin/env bash
# Fires every alarm of infra/template.yaml once, by its condition where LocalStack can bring it about
# (a message in the queue), else by the metric's value, and prints how, with its runbook entry. No
# account, no Docker: localstack-core comes from PyPI into target/emulators, boto3 and cfn-lint into .venv.
#
#   infra/scripts/fire-alarms.sh              about 90 s
#
# Where LocalStack cannot be had, nothing is tested and a word on stderr says why; CALLBOARD_CI_STRICT=1
# makes that an error. Exit codes: 0 all went off or skipped, 1 one did not, 2 not tested.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. infra/scripts/sam-tools.sh
. tests/conformance/emulators.sh

skip() {
    echo "fire-alarms: NOT TESTED: $1" >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
}

install_sam_tools || skip 'boto3 and cfn-lint could not be installed'
trap stop_emulators EXIT
# How often it publishes the metrics of its queues; SQS does so once a minute.
export SQS_CLOUDWATCH_METRICS_REPORT_INTERVAL=2
port=$(free_port)
start_localstack "$port" || skip 'localstack-core could not be started'
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=callboard AWS_SECRET_ACCESS_KEY=callboard
unset AWS_SESSION_TOKEN AWS_PROFILE
"$venv/bin/python" infra/scripts/fire-alarms.py infra/template.yaml infra/RUNBOOK.md
