# SPDX-License-Identifier: GPL-2.0-only
"""Who runs, judged by what is heard of a machine outside.

Processes in the machine count, and say each number once: see db/beacon.  They
are heard over several channels.  A machine that goes on in two places, or that
comes back to where it has left, says numbers again.
"""

import re

WORD = re.compile(rb"#(\d+);")


class Judge:
    """What was heard, of whom, when."""

    def __init__(self):
        self.heard = {}

    def hear(self, when, who, channel, number):
        """Times are in ns.  Of each channel, in the order of hearing."""
        self.heard.setdefault(channel, []).append((when, who, number))

    def alive(self, since):
        """Who has been heard since then."""
        return {who for words in self.heard.values()
                for when, who, _ in words if when >= since}

    def first(self, channel):
        """When somebody was first heard over a channel, and who; or None."""
        words = self.heard.get(channel)
        return words[0][:2] if words else None

    def twice(self):
        """How the machine has run twice, "" if it has not."""
        for channel, words in self.heard.items():
            turns = 0
            for (_, who, number), (_, then, after) in zip(words, words[1:]):
                turns += who != then
                if after <= number:
                    return "%s: %s said %d after %s had said %d" % (
                        channel, then, after, who, number)
                if turns > 1:
                    return "%s: %s spoke again, at %d" % (channel, then, after)
        return ""

    def verdict(self, since):
        """"two", "one" or "none" have run since then, or "two" ever."""
        alive = self.alive(since)
        if self.twice() or len(alive) > 1:
            return "two"
        return "one" if alive else "none"
