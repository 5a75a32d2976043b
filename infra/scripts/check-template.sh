#!/usr/bin/env bash
# Checks infra/template.yaml as AWS's own tools see it, `sam validate --lint` and `cfn-lint`, pinned, in a
# virtual environment of this repository, cfn-lint with our own rules in infra/policy; and samconfig.toml
# against the template. Needs no account and makes no call to AWS.
#
#   infra/scripts/check-template.sh [--self-test]
#
# --self-test breaks a copy of the template in one place per rule of ours and fails unless each is found
# there, and nothing else.
#
# Where the tools cannot be installed, the check is skipped with a word on stderr;
# CALLBOARD_CI_STRICT=1 makes that an error. Exit codes: 0 clean or skipped, 1 findings, 2 not checked.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly TEMPLATE=infra/template.yaml
. infra/scripts/sam-tools.sh

# The region decides which resource types exist; no request is made to it.
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}

if ! install_sam_tools; then
    echo 'check-template: NOT CHECKED' >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
fi

cfn_lint() { PYTHONPATH=infra/policy "$venv/bin/cfn-lint" --config-file infra/policy/cfn-lint.yaml "$@"; }

self_test() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    "$venv/bin/python" infra/policy/broken.py cfn-lint "$TEMPLATE" >"$scratch/broken.yaml"
    # It must end with an error; which ones it found, its report says.
    ! cfn_lint --format json "$scratch/broken.yaml" >"$scratch/report.json"
    "$venv/bin/python" infra/policy/broken.py cfn-lint "$TEMPLATE" "$scratch/report.json"
}

if [ "${1:-}" = --self-test ]; then
    self_test
    exit
fi

# `sam validate` without --lint accepts broken templates; with it, errors show one class at a time,
# which is why cfn-lint runs on its own as well.
status=0
cfn_lint "$TEMPLATE" || status=1
"$venv/bin/sam" validate --lint --template "$TEMPLATE" || status=1
"$venv/bin/python" infra/scripts/check-samconfig.py samconfig.toml "$TEMPLATE" || status=1
if [ "$status" = 0 ]; then
    echo 'check-template: clean'
fi
exit "$status"
