#!/usr/bin/env bash
# Checks infra/template.yaml against checkov's rules for CloudFormation: encryption, backups, roles,
# logs, who may call. (Rules of our own are cfn-lint's: check-template.sh.) Exceptions stand in
# infra/policy/checkov.yaml with their reasons. Needs no account and makes no call to AWS.
#
#   infra/scripts/check-policy.sh [--self-test]
#
# --self-test breaks a copy of the template in one place per rule and fails unless each is found.
#
# checkov comes pinned from PyPI into a virtual environment of its own, .venv/policy (290 MB). Where it
# cannot be had, the check is skipped with a word on stderr; CALLBOARD_CI_STRICT=1 makes that an error.
# Exit codes: 0 clean or skipped, 1 findings, 2 not checked.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly CHECKOV='checkov==3.3.*'
readonly HOME_OF_CHECKOV=.venv/policy

skip() {
    echo "check-policy: NOT CHECKED: $1" >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
}

install_checkov() {
    "$HOME_OF_CHECKOV/bin/checkov" --version 2>/dev/null | grep -q "^${CHECKOV#*==}" && return
    command -v python3 >/dev/null || skip 'python3 is not installed'
    echo "check-policy: installing checkov into $HOME_OF_CHECKOV (once)" >&2
    python3 -m venv --clear "$HOME_OF_CHECKOV" || skip 'python3 cannot make a virtual environment'
    "$HOME_OF_CHECKOV/bin/python" -m pip install --quiet --disable-pip-version-check "$CHECKOV" ||
        skip 'pip could not install checkov'
}

self_test() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    python3 infra/policy/broken.py checkov infra/template.yaml >"$scratch/broken.yaml"
    # It must end with an error; which ones it found, its report says.
    ! checkov --file "$scratch/broken.yaml" --output json >"$scratch/report.json"
    python3 infra/policy/broken.py checkov infra/template.yaml "$scratch/report.json"
}

checkov() { BC_SKIP_MAPPING=TRUE "$HOME_OF_CHECKOV/bin/checkov" --config-file infra/policy/checkov.yaml "$@"; }

install_checkov
if [ "${1:-}" = --self-test ]; then
    self_test
else
    checkov --file infra/template.yaml
    echo 'check-policy: clean'
fi
