#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# "make lint" as a test: one result for each checker.
echo "KTAP version 1"
"$(dirname "$0")/../scripts/lint" | awk '
	/^(not )?ok / { sub(/ok /, "ok " ++n " "); results++ }
	/^(not )?ok / { print; next }
	{ print "# " $0 }
	END { print "1.." results + 0 }'
