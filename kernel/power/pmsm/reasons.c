// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that speaks against a move, a line each.
 *
 * Lines may quote what a stranger has sent, and end up in logs: here they are
 * made printable.
 */

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/stdarg.h>
#include <linux/string.h>

#include "pmsm.h"
#include "reasons.h"

static const char and_more[] = "and more, see the log there\n";

/**
 * pmsm_reasons_init - nothing speaks against it so far
 * @r: The reasons.
 */
void pmsm_reasons_init(struct pmsm_reasons *r)
{
	r->error = 0;
	r->nr = 0;
	r->left_out = 0;
	r->len = 0;
	r->text[0] = '\0';
}

static void count(struct pmsm_reasons *r, int error)
{
	if (!error)
		return;
	r->nr++;
	if (!r->error)
		r->error = error;
}

static void make_printable(char *text, unsigned int len)
{
	for (; len; len--, text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/**
 * pmsm_reasons_add - one more
 * @r: The reasons.
 * @error: Negative errno, or 0 for a warning, which the line is to begin with.
 * @fmt: One line without its newline, in printk() format.
 */
void pmsm_reasons_add(struct pmsm_reasons *r, int error, const char *fmt, ...)
{
	unsigned int room = sizeof(r->text) - r->len;
	char *line = r->text + r->len;
	unsigned int len;
	va_list args;

	count(r, error);
	va_start(args, fmt);
	len = vsnprintf(line, room, fmt, args);
	va_end(args);
	if (len + 2 > room) {
		*line = '\0';
		r->left_out++;
		return;
	}
	make_printable(line, len);
	line[len] = '\n';
	line[len + 1] = '\0';
	r->len += len + 1;
}

static unsigned int line_len(const char *text, unsigned int len)
{
	const char *end = memchr(text, '\n', len);

	return end ? end - text : len;
}

static bool is_warning(const char *line, unsigned int len)
{
	return len >= strlen(PMSM_WARNING) &&
	       !memcmp(line, PMSM_WARNING, strlen(PMSM_WARNING));
}

/**
 * pmsm_reasons_take - add what the other side has to say
 * @r: The reasons.
 * @error: Negative errno of its first reason; 0 if it has warnings only.
 * @text: Its lines, as received.
 * @len: Length of that.
 */
void pmsm_reasons_take(struct pmsm_reasons *r, int error, const char *text,
		       unsigned int len)
{
	unsigned int nr = r->nr, part;

	while (len) {
		part = line_len(text, len);
		if (part && text[0])
			pmsm_reasons_add(r, is_warning(text, part) ? 0 : error,
					 "%.*s", part, text);
		part = min(part + 1, len);
		text += part;
		len -= part;
	}
	if (error && r->nr == nr)
		pmsm_reasons_add(r, error, "the target refuses, without a word (error %d)",
				 error);
}

/**
 * pmsm_reasons_first - the first reason that is not a warning
 * @r: The reasons.
 * @text: Where to put it.
 * @size: Room there.
 */
void pmsm_reasons_first(const struct pmsm_reasons *r, char *text,
			unsigned int size)
{
	unsigned int part, at;

	for (at = 0; at < r->len; at += part + 1) {
		part = line_len(r->text + at, r->len - at);
		if (is_warning(r->text + at, part))
			continue;
		scnprintf(text, size, "%.*s", part, r->text + at);
		return;
	}
	text[0] = '\0';
}

/**
 * pmsm_reasons_fit - as many whole lines as there is room for
 * @r: The reasons.
 * @text: Where to put them, not terminated.
 * @size: Room there.
 *
 * Return: bytes written.
 */
unsigned int pmsm_reasons_fit(const struct pmsm_reasons *r, char *text,
			      unsigned int size)
{
	const unsigned int note = strlen(and_more);
	unsigned int len = 0, part;

	if (r->len <= size && !r->left_out) {
		memcpy(text, r->text, r->len);
		return r->len;
	}
	while (len < r->len) {
		part = line_len(r->text + len, r->len - len) + 1;
		if (len + part + note > size)
			break;
		len += part;
	}
	memcpy(text, r->text, len);
	if (len + note > size)
		return len;
	memcpy(text + len, and_more, note);
	return len + note;
}

/**
 * pmsm_reasons_print - put them into the log
 * @r: The reasons.
 * @prefix: What each reason's line begins with; a warning speaks for itself.
 */
void pmsm_reasons_print(const struct pmsm_reasons *r, const char *prefix)
{
	unsigned int part, at;
	const char *line;

	for (at = 0; at < r->len; at += part + 1) {
		line = r->text + at;
		part = line_len(line, r->len - at);
		if (is_warning(line, part))
			pr_warn("%.*s\n", part, line);
		else
			pr_err("%s: %.*s\n", prefix, part, line);
	}
	if (r->left_out)
		pr_err("%s: and for %u more reasons\n", prefix, r->left_out);
}
