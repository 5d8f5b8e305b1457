#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The same tests with a kernel that looks for mistakes while it runs.

KASAN, UBSAN, lockdep, page poisoning and so on (qemu/hardened.config): one line
from any of them on any console fails the test that saw it.
"""

import os
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TESTS, "lib"))

import faults
from ktap import Skip, check, check_in, main, say
from pmsmvm import move

# Such a kernel is slow, and takes an eighth of memory for itself
PATIENCE = "4"
MEMORY = "2"


def kernel(lab):
    made = lab.build_kernel("hardened")
    if not made:
        raise Skip("needs a second kernel")
    return made


def again(lab, program, *names, append=""):
    """Tests of another program, those with these words in their names."""
    env = dict(os.environ, PMSM_KERNEL=kernel(lab), PMSM_PATIENCE=PATIENCE,
               PMSM_MEMORY=MEMORY, PMSM_APPEND=append)
    logs = env.pop("PMSM_LOGS", None)
    if logs:
        env["PMSM_RESULTS"] = logs
    done = subprocess.run([os.path.join(TESTS, program), *names], env=env,
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    ran = re.findall(r"^(not ok|ok) \d+ (.*)", done.stdout, re.M)
    for verdict, what in ran:
        say(verdict + " " + what)
    if done.returncode:
        say(done.stdout)
    check(ran and not done.returncode, "%s has failed" % program)


def test_is_hardened(lab):
    """The kernel is what it should be, and a mistake would show."""
    vm = lab.vm("a", kernel=kernel(lab), memory=512)
    vm.wait_boot(240)
    for words in ("KernelAddressSanitizer initialized", "Lock dependency",
                  "heap free:on", "DMA-API: debugging enabled"):
        check_in(words, vm.console(), "the console")
    check(not vm.splats(), "; ".join(vm.splats()))
    vm.send("echo c > /proc/sysrq-trigger")
    vm.wait_console("Kernel panic", 60)
    check(vm.splats(), "nobody has noticed a panic")
    vm.may_say("")


def test_move(lab):
    again(lab, "test_move.py", "two_cpus", "work", "disk", "tcp")


def test_poisoned(lab):
    """Poisoning of free pages in place of clearing them."""
    again(lab, "test_move.py", "two_cpus",
          append="page_poison=1 init_on_free=0")


def test_handover(lab):
    again(lab, "test_handover.py", "device_fails", "next_attempt",
          "commit_lost", "gate")


def test_fault(lab):
    again(lab, "test_fault.py", "source")


def test_link(lab):
    again(lab, "test_link.py", "kernel_all_5")


def test_kunit(lab):
    again(lab, "test_boot.py", "kunit")


def set_up_failures(vm):
    """Allocations may fail, and whatever gets as far as the image, stops."""
    faults.prepare(vm)
    for where in ("failslab", "fail_page_alloc"):
        vm.must("cd /sys/kernel/debug/%s; echo 0 > verbose; "
                "echo N > ignore-gfp-wait" % where)
    vm.must("echo 0 > /sys/kernel/debug/fail_page_alloc/min-order; "
            "echo 0 > /sys/module/suspend/parameters/pm_test_delay; "
            "echo core > /sys/power/pm_test")


def attempt(vm, nth):
    """Try to move; returns how many allocations were missing to the N-th."""
    answer = vm.must("failnth %d" % nth, 60)
    found = re.search(r"error=(\d+) left=(\d+)", answer)
    check(found, answer)
    check(found.group(1) != "0", "it says that it has moved")
    return int(found.group(2))


def test_allocations(lab):
    """Allocations on the way fail, each once: some from everywhere."""
    a, b = lab.pair(kernel=kernel(lab), memory=512)
    filled = a.program("memfill run --mib 20")
    set_up_failures(a)
    many = 1000000
    total = many - attempt(a, many)
    chosen = [*range(1, 9), *range(9, total, max(1, total // 12))]
    for nth in chosen:
        attempt(a, nth)
    say("%d of %d allocations failed" % (len(chosen), total))
    check(total > 100, "hardly any allocations")
    a.must("echo none > /sys/power/pm_test")
    move(a, b)
    verdict = b.verdict(filled)
    check(verdict.startswith("ok"), verdict)


main(sys.modules[__name__])
