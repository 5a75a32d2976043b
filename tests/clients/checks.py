"""How the Python scripts report: one line per check, and an exit code that says whether all held."""

import sys
import time
import traceback

_failed = 0


def check(sentence):
    """Runs the decorated function at once; the check holds if it returns without an exception."""

    def run(body):
        global _failed
        try:
            body()
        except Exception as error:
            _failed += 1
            why = str(error) or traceback.format_exc(limit=-1).strip().splitlines()[-2].strip()
            print(f"FAIL {sentence}: {type(error).__name__}: {' '.join(why.split())}", flush=True)
        else:
            print(f"ok   {sentence}", flush=True)

    return run


def equal(got, want):
    """Both values stand in the message, so that a failure explains itself."""
    assert got == want, f"got {got!r}, want {want!r}"


def refused(code, call, **arguments):
    """The call must be refused, and with this error code; returns the exception."""
    try:
        call(**arguments)
    except Exception as error:
        got = getattr(error, "response", {}).get("Error", {}).get("Code")
        assert got == code, f"refused with {got!r}, want {code!r}: {error}"
        return error
    raise AssertionError(f"was not refused with {code}")


def eventually(look, seconds=15):
    """What `look` returns, as soon as that is true; fails when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def finish():
    sys.exit(1 if _failed else 0)
