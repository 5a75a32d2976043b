#!/usr/bin/env bash
# Cold start and size of every function as it is deployed, beside a Python function that does the same
# work: builds the bootstraps with `cargo lambda build --release`, as `sam build` does, installs the
# peer, and prints the table of cold-start/main.rs.
#
#   tests/benches/cold-start.sh [FUNCTION]     e.g. outbox-relay: builds and measures this one alone
#
#   COLD_START_STARTS=N       starts per function [15]
#   COLD_START_NO_BUILD=1     measures the bootstraps that are in target/lambda
#   CALLBOARD_CI_STRICT=1     a peer that cannot be installed is an error, not a table without one
#
# Exit codes: 0 measured (the table says what misses its target), 1 a start failed, 2 not measured.
#
# The peer's packages come from PyPI, pinned, into target/cold-start/. The first build takes some fifteen
# minutes of CPU.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
. tests/conformance/emulators.sh
. infra/scripts/lambda-tools.sh
readonly PEER_PYTHON_MINOR=12
target=${CARGO_TARGET_DIR:-$root/target}
home=$target/cold-start
here=$root/tests/benches/cold-start

say() { printf 'cold-start: %s\n' "$*" >&2; }

functions_of_the_template() { sed -n 's#^ *CodeUri: \.\./functions/\([a-z-]*\)/$#\1#p' infra/template.yaml; }

# With Zig, its dependency, which sam's builds use as well: what is measured is what is deployed.
install_builder() {
    local tools=$home/tools
    PATH=$tools/bin:$PATH
    cmp --silent "$tools/installed" <(echo "$CARGO_LAMBDA") && return
    say "installing $CARGO_LAMBDA with Zig into target/cold-start/tools (once)"
    python3 -m venv --clear "$tools" &&
        "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "$CARGO_LAMBDA" >&2 &&
        echo "$CARGO_LAMBDA" >"$tools/installed"
}

build() {
    local function packages=()
    for function in "$@"; do packages+=(--package "$function"); done
    cargo lambda build --release --x86-64 "${packages[@]}" >&2
}

# The function and what it imports go into its zip; the runtime interface client is Lambda's own.
install_peer() {
    local python packages=$home/peer/function
    if ! cmp --silent "$here/peer/requirements.txt" "$home/peer/requirements.txt"; then
        python=$(emulators_python "$PEER_PYTHON_MINOR") || return 1
        say 'installing the Python peer into target/cold-start/peer (once)'
        "$python" -m venv --clear "$home/peer" &&
            "$home/peer/bin/python" -m pip install --quiet --disable-pip-version-check \
                --requirement "$here/peer/requirements.txt" >&2 &&
            mkdir "$packages" &&
            cp "$here/peer/requirements.txt" "$home/peer/" || return 1
    fi
    cp "$here/peer/app.py" "$packages/" &&
        "$home/peer/bin/python" -m compileall -q "$packages" || return 1
    (cd "$home/peer/lib"/python3.*/site-packages &&
        rm -f "$home/peer/peer.zip" &&
        python3 -m zipfile -c "$home/peer/peer.zip" aws_lambda_powertools boto3 botocore dateutil \
            jmespath s3transfer six.py typing_extensions.py urllib3 "$packages/app.py")
}

functions=("$@")
[ $# -gt 0 ] || mapfile -t functions < <(functions_of_the_template)
if [ "${COLD_START_NO_BUILD:-0}" != 1 ]; then
    install_builder || { say 'NOT MEASURED: cargo-lambda could not be installed'; exit 2; }
    build "${functions[@]}"
fi
for function in "${functions[@]}"; do
    (cd "$target/lambda/$function" && python3 -m zipfile -c bootstrap.zip bootstrap)
done
if install_peer; then
    export COLD_START_PEER_DIR=$home/peer
else
    say 'NO PEER: the Python function could not be installed, so nothing is compared'
    [ "${CALLBOARD_CI_STRICT:-0}" != 1 ] || exit 2
fi
[ $# -ne 1 ] || export COLD_START_ONLY=$1
export COLD_START_LAMBDA_DIR=$target/lambda
# The dev profile: what is measured are other processes, and nothing has to be built anew.
exec cargo bench --quiet --package callboard-tests --bench cold_start --profile dev
