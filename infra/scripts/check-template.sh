#!/usr/bin/env bash
# Checks infra/template.yaml as AWS's own tools see it: `sam validate --lint` and `cfn-lint`, pinned,
# in a virtual environment of this repository; and samconfig.toml against the template. Needs no account and makes no call to AWS.
#
#   infra/scripts/check-template.sh
#
# Where the tools cannot be installed, the check is skipped with a word on stderr;
# CALLBOARD_CI_STRICT=1 makes that an error. Exit codes: 0 clean or skipped, 1 findings, 2 not checked.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
template=$root/infra/template.yaml
. "$root/infra/scripts/sam-tools.sh"

# The region decides which resource types exist; no request is made to it.
export AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}

if ! install_sam_tools; then
    echo 'check-template: NOT CHECKED' >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
fi

# `sam validate` without --lint accepts broken templates; with it, errors show one class at a time,
# which is why cfn-lint runs on its own as well.
status=0
"$venv/bin/cfn-lint" "$template" || status=1
"$venv/bin/sam" validate --lint --template "$template" || status=1
"$venv/bin/python" "$root/infra/scripts/check-samconfig.py" "$root/samconfig.toml" "$template" || status=1
if [ "$status" = 0 ]; then
    echo 'check-template: clean'
fi
exit "$status"
