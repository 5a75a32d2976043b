#!/usr/bin/env bash
# Shows that a deployment which changes event versions loses and misreads nothing: deploys this tree
# (N) to an emulator of AWS, puts work in flight in every queue and in the stream, deploys the next
# version (N+1) over it by change set, goes back to N, and on to N+1 again.
#
#   infra/scripts/emulated-upgrade.sh
#
# N+1 is this tree with tests/upgrade/next.patch, which changes two event types as CONTRIBUTING.md
# says; tests/upgrade/README.md tells how to renew it. Its build has sources and target directory of
# its own under target/upgrade and takes others' crates from this tree's build.
#
# Where the emulator or sam cannot be had, nothing is tested and a word on stderr says why;
# CALLBOARD_CI_STRICT=1 makes that an error.
# Exit codes: 0 done or skipped, 1 a step failed, 2 not tested.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
script=emulated-upgrade
. infra/scripts/emulated-stack.sh
upgrade=$target/upgrade
next=$upgrade/src
work=$upgrade/run

# This tree with the patch. Files that are as they were keep their times, so that cargo builds what
# has changed and no more.
write_next() {
    local fresh=$upgrade/fresh
    rm -rf "$fresh" && mkdir -p "$fresh" "$next"
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- --ignore-failed-read 2>/dev/null | tar --extract --directory "$fresh"
    # Outside of a repository, as far as git can see: it applies to this directory alone.
    (cd "$fresh" && GIT_CEILING_DIRECTORIES=$upgrade git apply "$stack_root/tests/upgrade/next.patch") || {
        echo "$script: tests/upgrade/next.patch no longer applies; tests/upgrade/README.md tells how to renew it" >&2
        return 1
    }
    python3 - "$fresh" "$next" <<'PYTHON'
import filecmp, os, pathlib, sys
fresh, kept = map(pathlib.Path, sys.argv[1:])
files = lambda root: {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
for name in files(kept) - files(fresh):
    (kept / name).unlink()
for name in files(fresh):
    if not (kept / name).is_file() or not filecmp.cmp(fresh / name, kept / name, shallow=False):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, kept / name)
        os.utime(kept / name)
PYTHON
    rm -rf "$fresh"
}

# Others' crates are the same in both: they are linked from this tree's build. Our own are not, for a
# file that has two names must not be written to.
share_dependencies() {
    local package marker
    marker=$(cat Cargo.lock Cargo.toml shared/features/Cargo.toml <(rustc -vV) | cksum)
    [ "$(cat "$upgrade/.shared" 2>/dev/null)" != "$marker" ] || return 0
    rm -rf "$upgrade/debug" && mkdir -p "$upgrade/debug"
    for part in .fingerprint build deps; do
        cp -al "$binaries/$part" "$upgrade/debug/" 2>/dev/null || cp -a "$binaries/$part" "$upgrade/debug/"
    done
    for package in $(cargo metadata --no-deps --format-version 1 |
        python3 -c 'import json, sys; print(*(p["name"] for p in json.load(sys.stdin)["packages"]))'); do
        rm -rf "$upgrade/debug/.fingerprint/$package"-* "$upgrade/debug/build/$package"-*
        rm -f "$upgrade/debug/deps/"{,lib}"${package//-/_}"-*
    done
    find "$upgrade/debug/deps" -type f ! -name '*.*' -delete
    printf '%s' "$marker" >"$upgrade/.shared"
}

build_next() {
    write_next
    share_dependencies
    # shellcheck disable=SC2046 # several words
    (cd "$next" && CARGO_TARGET_DIR=$upgrade cargo build --quiet $(function_packages))
    package "$next" "$upgrade/debug" "$upgrade/package"
}

in_flight() {
    # shellcheck disable=SC1090 # made by this script
    (
        . "$work/env"
        export CALLBOARD="$binaries/callboard" CALLBOARD_ENV_FILE="$work/env" PYTHONDONTWRITEBYTECODE=1
        "$venv/bin/python" infra/scripts/upgrade-in-flight.py "$1" "$work"
    )
}

install_sam_tools || skip 'sam could not be installed'
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || skip 'this is not a work tree of git, or git is not installed'
rm -rf "$work" && mkdir -p "$work"
step 'sam is here'
# shellcheck disable=SC2046 # several words
cargo build --quiet $(function_packages) --package callboard-cli
package . "$binaries" "$upgrade/package-now"
build_next
step 'N and N+1 are built (dev profile)'
start_stack_emulator "$work"
deploy "$upgrade/package-now"
step 'N is deployed'
write_env "$work/env"
in_flight put
step 'work of N is in flight'
deploy "$upgrade/package"
step 'N+1 is deployed by change set'
in_flight upgraded
step 'N+1 has handled the work of N, and its own'
in_flight put-next
deploy "$upgrade/package-now"
step 'N is deployed again, with work of N+1 in flight'
in_flight rolled-back
step 'N has set aside what it cannot read, with the version in the reason'
deploy "$upgrade/package"
in_flight restored
step 'N+1 is deployed again, and the letters are replayed'
tear_down
step 'torn down: nothing lost, nothing misread, nothing sent twice'
