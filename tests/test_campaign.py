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

SEED, RUNS = 7, 8


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


def heard_of(world, number, seconds):
    """What is concluded of a run without a move."""
    run = Run(world, plan(SEED, number), world.lab.folder)
    # What had been said before
    run.ears.listen(0.5)
    run.ears.judge = Judge()
    since = time.time_ns()
    run.ears.listen(seconds)
    result, _ = run.conclude(since)
    run.ears.close()
    return result


def clone_runs(world):
    """A machine and its clone, which only QEMU can make."""
    world.discard(world.target)
    world.target = world.load(FIRST)
    # One that was loaded needs a moment
    result = heard_of(world, 0, 4)
    check(result["verdict"] == "two", str(result))
    check(result["survivor"] == "both", str(result))


def nobody_runs(world):
    for vm in (world.source, world.target):
        vm.qmp("stop")
    result = heard_of(world, 1, 1)
    check(result["verdict"] == "none", str(result))
    check_in("nobody runs", result["why"])
    check(figures([result])["campaign_none"] == 1, "not counted")


def both_run(world):
    """A source whose operator has said that it runs on when in doubt."""
    world.forget()
    world.prepare()
    world.source.must("echo run > /sys/power/pmsm/in_doubt")
    # COMMIT arrives, and nothing that the target says
    p = plan(SEED, 2)._replace(kind="cut", step="COMMIT", nth=1, after=True,
                               seconds=None)
    result, _ = Run(world, p, world.lab.folder).go()
    check(result["verdict"] == "two", str(result))
    check(figures([result])["campaign_two_survivors"] == 1, "not counted")


def test_real_two_and_none(lab):
    world = World(lab)
    world.prepare()
    clone_runs(world)
    nobody_runs(world)
    both_run(world)


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
