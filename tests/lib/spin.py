# SPDX-License-Identifier: GPL-2.0-only
"""The model of the hand-over under spin, whole or with a rule broken."""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(os.path.dirname(HERE), "model")
sys.path.insert(0, MODEL)

from mutants import MUTANTS  # noqa: E402,F401

# That nobody waits for ever.  The others are in the model, as LTL.
ENDS = "ends"
# One more adds as many states as the one before, and no more to them
TROUBLES = 4
# Each mutant fails with less
MUTANT_TROUBLES = 2


class Result:
    """What pan says."""

    def __init__(self, out):
        self.errors = int(re.search(r"errors: (\d+)", out).group(1))
        self.states = int(re.search(r"(\d+) states, stored", out).group(1))
        # Lines of the two sides that no run comes by
        self.unreached = re.findall(
            r"unreached in proctype (?:source|target)\n(\t.*:.*\n(?:\t.*\n)*)",
            out)
        cut = "Search not completed" in out and not self.errors
        if cut or "max search depth too small" in out:
            raise RuntimeError("not all states were looked at:\n" + out)


def available():
    return bool(shutil.which("spin"))


def load():
    """The model's text."""
    with open(os.path.join(MODEL, "handover.pml")) as file:
        return file.read()


def properties(model):
    """What must hold: the names of all."""
    return re.findall(r"^ltl (\w+)", model, re.M) + [ENDS]


def only(model, name):
    """The model with one property, which is compiled faster than with all."""
    return re.sub(r"^ltl (?!%s\b)[^}]*}\n" % name, "", model, flags=re.M)


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(" ".join(command) + ": " + done.stdout)
    return done.stdout


def verify(folder, model, name, troubles=TROUBLES):
    """Look at all states for what breaks a property."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.pml"), "w") as out:
        out.write(only(model, name))
    run(folder, "spin", "-DTROUBLES=%d" % troubles, "-a", "model.pml")
    safety = ["-DSAFETY"] if name == ENDS else []
    run(folder, "gcc", "-O0", "-w", *safety, "-o", "pan", "pan.c")
    fair = [] if name == ENDS else ["-a", "-f"]
    return Result(run(folder, "./pan", *fair, "-m100000", "-w20"))


def replace(text, old, new, what):
    """Replace what must be there, once."""
    if isinstance(old, str):
        found, result = text.count(old), text.replace(old, new)
    else:
        result, found = old.subn(new, text)
    if found != 1:
        raise RuntimeError("%s: there %d times in \"%s\"" % (what, found, text))
    return result


def state(model, where):
    """Where a state begins and ends, of those that a side has."""
    side, label = where.split()
    start = model.index("\n%s:" % label, model.index("proctype %s(" % side))
    end = re.compile(r"\n(?:(?!end_)\w+:|})").search(model, start + 1)
    return start, end.start()


def mutate(model, name, changes):
    """The model with some rules broken."""
    for where, old, new in changes:
        start, end = state(model, where)
        model = (model[:start] + replace(model[start:end], old, new, name) +
                 model[end:])
    return model


def caught(folder, model, mutant):
    """Whether a mutant is seen to break the property that it should."""
    name, broken, *changes = mutant
    where = os.path.join(folder, re.sub(r"\W+", "-", name))
    return verify(where, mutate(model, name, changes), broken,
                  MUTANT_TROUBLES).errors > 0
