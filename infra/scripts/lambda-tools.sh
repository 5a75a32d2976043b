# cargo-lambda, pinned, from PyPI into target/cargo-lambda; source this file in bash.
#
#   install_cargo_lambda   puts a cargo-lambda of the pinned series on PATH, installing it unless there
#                          is one; returns 1 with a word on stderr where it cannot be had

readonly CARGO_LAMBDA_SERIES=1.9
readonly CARGO_LAMBDA=cargo-lambda==1.9.2
lambda_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lambda_home=${CARGO_TARGET_DIR:-$lambda_root/target}/cargo-lambda

cargo_lambda_installed() {
    cargo lambda --version 2>/dev/null | grep -q "^cargo-lambda ${CARGO_LAMBDA_SERIES}\."
}

install_cargo_lambda() {
    cargo_lambda_installed && return
    command -v python3 >/dev/null || { echo 'lambda-tools: python3 is not installed' >&2; return 1; }
    PATH=$lambda_home/bin:$PATH
    cargo_lambda_installed && return
    echo "lambda-tools: installing $CARGO_LAMBDA into $lambda_home (once)" >&2
    # Without its dependency, the Zig compiler of 400 MB: only `cargo lambda build` uses that.
    python3 -m venv --clear "$lambda_home" &&
        "$lambda_home/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            "$CARGO_LAMBDA" >&2 && cargo_lambda_installed && return
    echo "lambda-tools: pip could not install $CARGO_LAMBDA" >&2
    return 1
}
