#!/usr/bin/env bash
# Checks infra/template.yaml as AWS's own tools see it: `sam validate --lint` and `cfn-lint`, pinned,
# in a virtual environment of this repository. Needs no account and makes no call to AWS.
#
#   infra/scripts/check-template.sh
#
# Where the tools cannot be installed, the check is skipped with a word on stderr;
# CALLBOARD_CI_STRICT=1 makes that an error. Exit codes: 0 clean or skipped, 1 findings, 2 not checked.
set -euo pipefail

# `sam validate` without --lint accepts broken templates; with it, errors show one class at a time,
# which is why cfn-lint runs on its own as well.
readonly CFN_LINT='cfn-lint==1.58.*'
readonly SAM_CLI='aws-sam-cli==1.170.*'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
template=$root/infra/template.yaml
venv=$root/.venv

# The region decides which resource types exist; no request is made to it.
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}

skip() {
    echo "check-template: NOT CHECKED: $1" >&2
    if [ "${CALLBOARD_CI_STRICT:-0}" = 1 ]; then
        exit 2
    fi
    exit 0
}

installed() {
    "$venv/bin/cfn-lint" --version 2>/dev/null | grep -q "^cfn-lint ${CFN_LINT#*==}" &&
        "$venv/bin/sam" --version 2>/dev/null | grep -q "version ${SAM_CLI#*==}"
}

if ! installed; then
    command -v python3 >/dev/null || skip 'python3 is not installed'
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" || skip 'python3 cannot make a virtual environment'
    echo 'check-template: installing cfn-lint and sam into .venv (once)' >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$CFN_LINT" "$SAM_CLI" ||
        skip 'pip could not install cfn-lint and aws-sam-cli'
fi

status=0
"$venv/bin/cfn-lint" "$template" || status=1
"$venv/bin/sam" validate --lint --template "$template" || status=1
if [ "$status" = 0 ]; then
    echo 'check-template: clean'
fi
exit "$status"
