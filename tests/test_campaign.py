#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A short campaign of faults, and that its judge can tell what it has to."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "lib"))

from campaign import (FIRST, KINDS, Campaign, Run, World, figures, plan,
                      table)
from judge import Judge
from ktap import check, check_in, main, say

SEED, RUNS = 7, 9


def story(*words):
    """A judge who has heard (when, who, number), over one channel."""
    judge = Judge()
    for when, who, number in words:
        judge.hear(when, who, "line", number)
    return judge


def test_judge(_lab):
    moved = story((1, "a", 1), (2, "a", 2), (3, "b", 3), (4, "b", 4))
    check(moved.verdict(3) == "one", "a move")
    check(moved.verdict(5) == "none", "silence")
    back = story((1, "a", 1), (5, "a", 2))
    check(back.verdict(4) == "one", "a machine that goes on")
    both = story((1, "a", 1), (2, "b", 2), (3, "a", 2), (4, "b", 3))
    check(both.verdict(3) == "two", "both at the same time")
    turns = story((1, "a", 1), (2, "b", 2), (5, "a", 2), (6, "a", 3))
    check(turns.verdict(5) == "two", "one after the other")
    again = story((1, "a", 1), (2, "b", 2), (3, "a", 3))
    check(again.verdict(3) == "two", "back, but with other numbers")
    # Over two channels nobody says more than over one
    judge = story((1, "a", 1), (3, "b", 2))
    judge.hear(2, "a", "network", 1)
    check(judge.verdict(3) == "one", "two channels")


def test_plan(_lab):
    """A run can be repeated from its number."""
    plans = [plan(SEED, run) for run in range(200)]
    check(plans == [plan(SEED, run) for run in range(200)], "by chance")
    check(plans != [plan(SEED + 1, run) for run in range(200)], "no seed")
    check({p.kind for p in plans[:RUNS]} == set(KINDS), "not all kinds")


def test_real_two_and_none(lab):
    """A machine and its clone, which only QEMU can make; then both halted."""
    world = World(lab)
    world.prepare()
    world.discard(world.target)
    world.target = world.load(FIRST)
    run = Run(world, plan(SEED, 0), lab.folder)
    since = time.time_ns()
    # One that was loaded needs a moment
    run.ears.listen(4)
    result, _ = run.conclude(since)
    check(result["verdict"] == "two", str(result))
    check(result["survivor"] == "both", str(result))
    run.ears.close()

    for vm in (world.source, world.target):
        vm.qmp("stop")
    run = Run(world, plan(SEED, 1), lab.folder)
    # What they had said before
    run.ears.listen(0.5)
    since = time.time_ns()
    run.ears.listen(1)
    result, _ = run.conclude(since)
    check(result["verdict"] == "none", str(result))
    check_in("nobody runs", result["why"])
    check(figures([result])["campaign_none"] == 1, "not counted")


def test_short(lab):
    many = Campaign(lab, SEED, os.environ.get("PMSM_LOGS"))
    for number in range(RUNS):
        result = many.run(number)
        say("run %(run)d: %(plan)s: %(survivor)s, connection %(connection)s, "
            "%(seconds)s s %(why)s" % result)
    say(table(many.results))
    failed = [r for r in many.results if r["why"]]
    check(not failed, "; ".join("run %(run)d: %(why)s" % r for r in failed))
    figure = figures(many.results)
    check(figure["campaign_two_survivors"] == 0, str(figure))
    check(figure["campaign_none"] == 0, str(figure))


main(sys.modules[__name__])
