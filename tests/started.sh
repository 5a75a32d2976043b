# A callboard that a script of tests starts, and npm packages as pinned beside it; source this in bash.
# `root` is the repository, and `scratch` a directory of the script's own.
#
#   install_node DIR WHAT       npm's packages into DIR/node_modules, unless they are there
#   start_callboard NAME ARGS   starts `callboard ARGS` and waits until it is ready; what it says is in
#                               $scratch/NAME.out and NAME.log. CALLBOARD_BIN is taken, or it is built
#   stop_started                ends it and removes $scratch
#
# What a caller reads: $started, its process.

readonly TENTHS_MAX=300

install_node() {
    local here=$1 what=$2 stamp=$1/node_modules/.installed-lock.json
    cmp --silent "$here/package-lock.json" "$stamp" && return
    echo "${here##*/}: installing $what into tests/${here##*/}/node_modules (once)" >&2
    (cd "$here" && npm ci --loglevel error >&2) && cp "$here/package-lock.json" "$stamp"
}

start_callboard() {
    local name=$1 binary=${CALLBOARD_BIN:-}
    shift
    if [ -z "$binary" ]; then
        cargo build --quiet --manifest-path "$root/Cargo.toml" --package callboard-cli
        binary=${CARGO_TARGET_DIR:-$root/target}/debug/callboard
    fi
    : >"$scratch/$name.out"
    "$binary" "$@" >"$scratch/$name.out" 2>"$scratch/$name.log" &
    started=$!
    for _ in $(seq "$TENTHS_MAX"); do
        if grep -q '^Ready' "$scratch/$name.out"; then
            return
        fi
        kill -0 "$started" 2>/dev/null || break
        sleep 0.1
    done
    echo "the $name did not start" >&2
    cat "$scratch/$name.log" >&2
    exit 2
}

stop_started() {
    if [ -n "${started:-}" ]; then
        kill "$started" 2>/dev/null && wait "$started" || true
    fi
    rm -rf "$scratch"
}
