#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Moves over bad links: frames are lost, repeated, reordered and damaged."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

from ktap import check, main, say
from pmsmvm import move


def over(lab, transfer, append=""):
    a, b = lab.pair(transfer=transfer, timeout=30, append=append)
    filled = a.program("memfill run --mib 40")
    move(a, b, 240)
    say("\n".join(re.findall(r"pmsm: (moved.*|sent again.*|phase stream.*)",
                             b.console())))
    verdict = b.verdict(filled)
    check(verdict.startswith("ok"), verdict)
    again = int(re.search(r"sent again: (\d+)", b.console()).group(1))
    check(again > 0, "nothing was sent again: was the link bad at all?")


def relay(lab, *options):
    wire = lab.bad_wire(*options)
    over(lab, wire.path)


def test_relay_loss_1(lab):
    relay(lab, "--loss", "1")


def test_relay_loss_5(lab):
    relay(lab, "--loss", "5")


def test_relay_loss_20(lab):
    relay(lab, "--loss", "20")


def test_relay_all(lab):
    relay(lab, "--loss", "5", "--dup", "5", "--reorder", "5", "--flip", "5")


def test_relay_all_20(lab):
    relay(lab, "--loss", "20", "--dup", "20", "--reorder", "20", "--flip", "20")


def kernel(lab, percent):
    wire = lab.bad_wire()
    over(lab, wire.path, " ".join("pmsm.fault_%s=%d" % (what, percent)
                                  for what in ("loss", "dup", "reorder",
                                               "flip")))


def test_kernel_all_1(lab):
    kernel(lab, 1)


def test_kernel_all_5(lab):
    kernel(lab, 5)


def test_kernel_all_20(lab):
    kernel(lab, 20)


main(sys.modules[__name__])
