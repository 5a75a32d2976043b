#!/usr/bin/env bash
# Checks infra/cdk: its tests, and `cdk synth` of its app with cdk-nag. Needs no account, makes no call
# to AWS, and no functions: what stands for them is an empty file each.
#
#   infra/scripts/check-cdk.sh
#
# npm packages come from the registry, as package-lock.json pins them. Where that cannot be, the check
# is skipped with a word on stderr; CALLBOARD_CI_STRICT=1 makes that an error.
# Exit codes: 0 clean or skipped, 1 findings, 2 not checked.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

skip() {
    echo "check-cdk: NOT CHECKED: $1" >&2
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
    exit 0
}

cd "$root/infra/cdk"
node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null || skip 'Node 20 or later is not installed'
npm ci --no-audit --no-fund --loglevel=error || skip 'npm could not install the packages'

functions=$(mktemp -d)
trap 'rm -rf "$functions"' EXIT
for name in $(sed -n 's/^ *BuildProperties: {Binary: \(.*\)}$/\1/p' ../template.yaml); do
    mkdir "$functions/$name" && touch "$functions/$name/bootstrap"
done

npm test --silent
npx cdk synth --quiet --context functions="$functions"
echo 'check-cdk: clean'
