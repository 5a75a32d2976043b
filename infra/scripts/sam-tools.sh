# AWS's own tools for the template, pinned, from PyPI into .venv; source this file in bash.
#
#   install_sam_tools     cfn-lint and sam (with boto3) in $venv/bin; returns 1 with a word on stderr
#                         where they cannot be had

readonly CFN_LINT='cfn-lint==1.58.*'
readonly SAM_CLI='aws-sam-cli==1.170.*'
venv=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.venv
export SAM_CLI_TELEMETRY=0

sam_tools_installed() {
    "$venv/bin/cfn-lint" --version 2>/dev/null | grep -q "^cfn-lint ${CFN_LINT#*==}" &&
        "$venv/bin/sam" --version 2>/dev/null | grep -q "version ${SAM_CLI#*==}"
}

install_sam_tools() {
    sam_tools_installed && return
    command -v python3 >/dev/null || { echo 'sam-tools: python3 is not installed' >&2; return 1; }
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv" ||
        { echo 'sam-tools: python3 cannot make a virtual environment' >&2; return 1; }
    echo 'sam-tools: installing cfn-lint and sam into .venv (once)' >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$CFN_LINT" "$SAM_CLI" ||
        { echo 'sam-tools: pip could not install cfn-lint and aws-sam-cli' >&2; return 1; }
}
