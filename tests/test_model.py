#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The hand-over by spin, over all its states; and that each rule is needed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import spin
from ktap import Skip, check, main, say


def the_model():
    if not spin.available():
        raise Skip("spin is not installed")
    return spin.load()


def test_properties(lab):
    model = the_model()
    for name in spin.properties(model):
        result = spin.verify(os.path.join(lab.folder, name), model, name)
        say("%s: %d states" % (name, result.states))
        check(not result.errors, "the model breaks \"%s\"" % name)
    # The last looks at all that the two sides do
    check(not result.unreached, "nobody ever does this: %s" % result.unreached)


def test_mutants(lab):
    """Each rule broken on purpose makes the model fail."""
    model = the_model()
    missed = [mutant[0] for mutant in spin.MUTANTS
              if not spin.caught(lab.folder, model, mutant)]
    check(not missed, "nobody notices when " + "; ".join(missed))
    say("%d of %d mutants caught" % (len(spin.MUTANTS), len(spin.MUTANTS)))


main(sys.modules[__name__])
