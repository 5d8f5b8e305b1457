#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each step of a migration fails once, and the machine does not mind."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

import faults
from ktap import check, check_in, main, say
from pmsmvm import NIC, PATIENCE, move, try_move, wait_for


class Chain:
    """A machine with work on it, and one target after the other."""

    def __init__(self, lab):
        self.lab, self.wire = lab, lab.bad_wire().path
        self.vm = self.machine("m0").wait_boot()
        faults.prepare(self.vm)
        self.vm.must("echo 2 > /sys/power/pmsm/timeout; "
                     "echo %d > /sys/power/pmsm/resume_timeout"
                     % (4 * PATIENCE))
        self.filled = self.vm.program("memfill run --mib 20")
        self.targets = 0

    def machine(self, name, append=""):
        return self.lab.vm(name, transfer=self.wire, append=append)

    def target(self, append=""):
        self.targets += 1
        return self.machine("t%d" % self.targets, "pmsm.listen=%s,timeout=2 %s"
                            % (NIC, append)).wait_listening()

    def arm(self, step, action="error"):
        faults.arm(self.vm, step, action)

    def ok(self):
        verdict = self.vm.verdict(self.filled)
        check(verdict.startswith("ok"), verdict)

    def goes_to(self, target):
        move(self.vm, target)
        self.vm = target


def test_source(lab):
    """One target sees the source fail at each step, and takes it in the end."""
    chain = Chain(lab)
    target = chain.target()
    # A target that has gone ahead cannot listen again: last of all
    for step in faults.SOURCE[:-1]:
        listening = target.console().count("listening again")
        chain.arm(step)
        check_in("Input/output error", try_move(chain.vm), "at " + step)
        check_in(faults.FAILING + step + "\n", chain.vm.console(),
                 "the source's console")
        if step not in faults.ALONE:
            wait_for("the target after " + step, 20, lambda: target.console()
                     .count("listening again") > listening)
    chain.goes_to(target)
    target = chain.target()
    chain.arm("commit")
    check_in("Input/output error", try_move(chain.vm), "at commit")
    target.wait_exit(20)
    check_in("the source has called it off; this machine goes off",
             target.console(), "the target's console")
    chain.goes_to(chain.target())
    chain.ok()


def test_target(lab):
    """Each target fails once, and takes the machine when it asks again."""
    chain = Chain(lab)
    for step in faults.TARGET[1:]:
        target = chain.target(faults.at_boot(step))
        check_in("Input/output error", try_move(chain.vm), "at " + step)
        target.wait_console("listening again|refused", 20)
        check_in("step " + step, target.console(), "the target's console")
        chain.goes_to(target)
        # What it was told is not part of the machine that came
        check(chain.vm.must("cat %s/fail_step" % faults.PARAMETERS) == "",
              "fail_step has come along")
    chain.ok()
    say("moved %s times" % chain.vm.must("cat /sys/power/pmsm/moves"))


def test_target_link(lab):
    chain = Chain(lab)
    target = chain.machine("t", "pmsm.listen=%s %s"
                           % (NIC, faults.at_boot("link")))
    target.wait_boot()
    check_in("step link", target.console(), "the target's console")
    target.send("echo %s > /sys/power/pmsm/listen" % NIC)
    target.wait_listening()
    chain.goes_to(target)
    chain.ok()


def test_restored(lab):
    """What is set on the source happens on the target."""
    chain = Chain(lab)
    for step, words in zip(faults.RESTORED, ("timed out", "Input/output error")):
        target = chain.target()
        chain.arm(step)
        check_in(words, try_move(chain.vm), "at " + step)
        target.wait_exit(20)
        check_in("step " + step, target.console(), "the target's console")
    faults.disarm(chain.vm)
    chain.goes_to(chain.target())
    chain.ok()


def test_hang(lab):
    """A target that stops dead, before and after the jump."""
    chain = Chain(lab)
    target = chain.target(faults.at_boot("ended", "hang"))
    check_in("timed out", try_move(chain.vm), "at ended")
    target.kill()
    target = chain.target()
    chain.arm("restart", "hang")
    check_in("timed out", try_move(chain.vm), "at restart")
    target.kill()
    faults.disarm(chain.vm)
    chain.goes_to(chain.target())
    chain.ok()


main(sys.modules[__name__])
