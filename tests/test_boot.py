#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A test kernel boots, runs its KUnit tests, and still hibernates as before."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

from ktap import check, check_in, main, say
from pmsmvm import NIC


def test_boot(lab):
    vm = lab.vm("a", cpus=2).wait_boot()
    check_in("pmsm", vm.must("cat /sys/power/state"), "/sys/power/state")
    check(vm.must("cat /sys/power/pmsm/nics") == NIC, "no transfer NIC")
    check(vm.must("ls /sys/class/net | grep -c eth") == "1",
          "the transfer NIC belongs to the network stack as well")


def test_kunit(lab):
    vm = lab.vm("a", append="kunit.enable=1")
    vm.wait_boot(120)
    for suite in ("pmsm_session", "pmsm_store", "pmsm_compat",
                  "pmsm_slept", "pmsm_checksum", "pmsm_answer"):
        check(re.search(r"\] ok \d+ %s" % suite, vm.console()),
              "KUnit suite %s has not passed" % suite)
    say("%d KUnit tests" % len(re.findall(r"    ok \d+ ", vm.console())))


def test_stock_hibernation(lab):
    """What we have changed in swsusp still works with a disk."""
    disk = lab.disk("swap", 256, ext4=False)
    a = lab.vm("a", disks=[disk]).wait_boot()
    a.must("mkswap /dev/vda && swapon /dev/vda && echo alive > /tmp/file")
    a.must("echo shutdown > /sys/power/disk")
    a.send("echo disk > /sys/power/state; echo back $?")
    a.wait_exit(60)
    b = lab.vm("a", disks=[disk], append="resume=/dev/vda")
    b.wait_console("hibernation exit", 60)
    b.adopt()
    check(b.must("cat /tmp/file") == "alive", "the file is gone")


main(sys.modules[__name__])
