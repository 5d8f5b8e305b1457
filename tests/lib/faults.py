# SPDX-License-Identifier: GPL-2.0-only
"""Telling a machine to fail at a step: kernel/power/pmsm/fault.c."""

# Steps in the order in which they come, as in kernel/power/pmsm/fault.h.  Of the
# source's, no target knows at the first, and everything runs as long as it is
# awake.  What the source is told for the last ones happens when the machine has
# been restored on the target.
ALONE = ("link", "alloc", "hello")
AWAKE = (*ALONE, "accepted")
SOURCE = (*AWAKE, "frozen", "scanned", "streamed", "prepare", "commit")
TARGET = ("link", "accept", "stopped", "begun", "planned", "ended", "verified",
          "jump")
RESTORED = ("restart", "resumed")

TIMES = "/sys/kernel/debug/pmsm_fail/times"
PARAMETERS = "/sys/module/pmsm/parameters"
# What a console says when it happens, before the step's name
FAILING = "failing on purpose at step "


def prepare(vm):
    """Once per machine, before arm()."""
    vm.must("[ -e %s ] || mount -t debugfs debugfs /sys/kernel/debug" % TIMES)


def arm(vm, step, action="error"):
    """Fail once at a step; "" for none."""
    vm.must("echo 1 > %s; echo %s > %s/fail_action; echo %s > %s/fail_step"
            % (TIMES, action, PARAMETERS, step, PARAMETERS))


def disarm(vm):
    vm.must("echo > %s/fail_step" % PARAMETERS)


def at_boot(step, action="error"):
    """The same for a machine that has to know it when it boots."""
    return "pmsm.fail_step=%s pmsm.fail_action=%s" % (step, action)
