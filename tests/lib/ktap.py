# SPDX-License-Identifier: GPL-2.0-only
"""Tests that speak KTAP (Documentation/dev-tools/ktap.rst)."""

import os
import sys
import time
import traceback

import pmsmvm


class Skip(Exception):
    """This cannot be tested here; says why."""


def check(condition, what):
    """A test fails here unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def check_in(words, text, where=""):
    check(words in text, "%s does not say \"%s\"; it says: %s"
          % (where or "it", words, text[-600:]))


def say(text):
    for line in str(text).splitlines():
        print("# " + line, flush=True)


def one(number, name, test):
    start = time.monotonic()
    logs = os.environ.get("PMSM_RESULTS")
    if logs:
        os.environ["PMSM_LOGS"] = os.path.join(logs, name)
    try:
        with pmsmvm.Lab() as lab:
            try:
                test(lab)
                splats = lab.splats()
                check(not splats, "on a console: " + "; ".join(splats))
            except Skip:
                raise
            except BaseException:
                for vm in lab.vms:
                    say("%s's console ends with:" % vm.name)
                    say("\n".join(vm.console().splitlines()[-25:]))
                raise
    except Skip as skip:
        print("ok %d %s # SKIP %s" % (number, name, skip), flush=True)
        return True
    except Exception as error:
        say("".join(traceback.format_exception(error)[-2:]))
        print("not ok %d %s" % (number, name), flush=True)
        return False
    print("ok %d %s # %.1f s" % (number, name, time.monotonic() - start),
          flush=True)
    return True


def main(module):
    """Run all functions test_* of a module, or those named as arguments."""
    tests = [(name[5:], value) for name, value in vars(module).items()
             if name.startswith("test_") and callable(value)]
    if len(sys.argv) > 1:
        tests = [t for t in tests if any(w in t[0] for w in sys.argv[1:])]
    print("KTAP version 1\n1..%d" % len(tests), flush=True)
    results = [one(i + 1, name, test) for i, (name, test) in enumerate(tests)]
    sys.exit(0 if all(results) else 1)
