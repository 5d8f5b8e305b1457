#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The decision by spin, over all its states; and that each rule is needed."""

import os
import re
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TESTS, "lib"))

from ktap import Skip, check, main, say

with open(os.path.join(TESTS, "model", "handover.pml")) as text:
    MODEL = text.read()

SOURCE_SILENCE = ":: to_target.reset = true -> goto runs_on\t/* silence */\n"
TARGET_SILENCE = ":: to_source.reset = true -> goto given_up\t/* silence */\n"
AGAIN = ":: repeat(to_source, to_target.commit)\t\t/* in doubt for ever */\n"
ANSWER = ":: receive(to_target.commit) -> to_source.reset = true\n"

# What nobody may do: the property that it breaks, and what of the model is
# replaced by what
MUTANTS = {
    "the source runs on when COMMIT is not answered": (
        "one", (AGAIN, ":: goto runs_on\n")),
    "the source does not repeat COMMIT": (
        "some", (AGAIN, ""),
        ("receive(to_source.ready) -> to_target.commit = true",
         "receive(to_source.ready)")),
    "the source does not heed RESET after COMMIT": (
        "some", (":: receive(to_source.reset) -> goto runs_on\n"
                 "\t:: receive(to_source.ready)",
                 ":: receive(to_source.reset)\n"
                 "\t:: receive(to_source.ready)")),
    "the target goes without COMMIT": (
        "one", (TARGET_SILENCE, ":: break\n")),
    "the target gives up, and does not answer COMMIT": (
        "some", (ANSWER, ":: receive(to_target.commit)\n")),
    "the target goes after it has given up": (
        "one", (ANSWER, ":: receive(to_target.commit) -> "
                "target_ran = true; goto off\n")),
    "the target goes although the source has called it off": (
        "one", (":: receive(to_target.reset) -> goto given_up",
                ":: receive(to_target.reset) -> break")),
    "a target answers for a session that it does not know": (
        "one", ("/* it remembers nothing */\n"
                "\tdo\n\t:: receive(to_target.commit)",
                "\n\tdo\n\t:: receive(to_target.commit) -> "
                "to_source.reset = true")),
    "the target says RESET after COMMITTED, and goes": (
        "one", (":: break\t\t\t\t\t/* a second has passed */",
                ":: to_source.reset = true -> break")),
    # As long as nobody gives up
    "the target does not repeat READY": (
        "some", (":: repeat(to_target, to_source.ready)\n", ""),
        (SOURCE_SILENCE, ""), (TARGET_SILENCE, "")),
}


def errors(lab, name, model, claim, troubles):
    """How many errors spin finds, and in how many states."""
    folder = os.path.join(lab.folder, re.sub(r"\W+", "-", name) + claim)
    os.makedirs(folder)
    with open(os.path.join(folder, "model.pml"), "w") as out:
        out.write(model)
    for command in (["spin", "-DTROUBLES=%d" % troubles, "-a", "model.pml"],
                    ["gcc", "-O0", "-w", "-o", "pan", "pan.c"]):
        subprocess.run(command, cwd=folder, check=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = subprocess.run(["./pan", "-a", "-f", "-m100000", "-N", claim],
                         cwd=folder, check=True, text=True,
                         stdout=subprocess.PIPE).stdout
    check("Search not completed" not in out or "errors: 0" not in out, out)
    check("max search depth too small" not in out, out)
    found = int(re.search(r"errors: (\d+)", out).group(1))
    return found, int(re.search(r"(\d+) states, stored", out).group(1))


def need_spin():
    if not shutil.which("spin"):
        raise Skip("spin is not installed")


def test_properties(lab):
    need_spin()
    for claim, troubles in (("one", 8), ("some", 6)):
        found, states = errors(lab, "model", MODEL, claim, troubles)
        say("%s: %d states" % (claim, states))
        check(found == 0, "the model breaks \"%s\"" % claim)


def test_mutants(lab):
    """Each rule broken on purpose makes the model fail."""
    need_spin()
    for name, (claim, *changes) in MUTANTS.items():
        model = MODEL
        for old, new in changes:
            check(model.count(old) == 1, "\"%s\" is %d times in the model"
                  % (old, model.count(old)))
            model = model.replace(old, new)
        found, _ = errors(lab, name, model, claim, 4)
        check(found, "nobody notices when " + name)
    say("%d of %d mutants caught" % (len(MUTANTS), len(MUTANTS)))


main(sys.modules[__name__])
