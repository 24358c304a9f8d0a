// SPDX-License-Identifier: Apache-2.0
// The audit subcommands. May touch: the daemon's query socket; with --path a directory,
// read-only.
#include "ctl/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auditd/verify.h"
#include "common/sock.h"
#include "ctl/audit_print.h"
#include "ctl/cli.h"
#include "proto/chan.h"

#define EXIT_UNREADABLE VERIFY_UNREADABLE
#define RAW_MAGIC	"SPAREC1\n"

// --- the daemon -------------------------------------------------------------------

struct stream {
	struct chan *chan;
	uint64_t id;
	char error[200]; // from the daemon
	bool damaged;	 // the daemon says that a stored record is not what it was
	uint64_t head_seq;
	uint8_t head[CHAIN_HASH];
};

static bool
stream_open(struct stream *s)
{
	char path[CLI_PATH_MAX];
	*s = (struct stream){.chan = NULL};
	cli_socket_path("query", path);
	int fd = sock_connect_unix(path, true);
	if (fd < 0) {
		const char *fix =
		    errno == EACCES ? "run this as root or as the user given with --admin-uid"
		    : cli_dir == NULL
			? "is sallyport-auditd running? (systemctl status "
			  "sallyport-auditd, or give --dir DIR for a stack of your own)"
			: "is the stack running? (sallyport up --dir DIR)";
		cli_fail("cannot reach the audit daemon at %s: %s; %s", path, strerror(errno), fix);
		return false;
	}
	s->chan = chan_new(fd, ROLE_AUDITD_AT_ADMIN, 0);
	return true;
}

static bool
stream_ask(struct stream *s, uint64_t from, uint64_t count, bool follow)
{
	struct msg_audit_query q = {.from_seq = from, .count = count, .follow = follow};
	chan_send(s->chan, MSG_AUDIT_QUERY, ++s->id, &q);
	enum chan_status st;
	do
		st = chan_flush(s->chan);
	while (st == CHAN_AGAIN);
	if (st != CHAN_OK)
		snprintf(s->error, sizeof(s->error),
		    "the audit daemon closed the connection; are you its admin user?");
	return st == CHAN_OK;
}

// The next record of the stream: 1; its end: 0, with head_seq and head; failure: -1, with
// error. The view is valid until the next call.
static int
stream_next(struct stream *s, struct view *record_r)
{
	struct frame f;
	enum chan_status st;
	while ((st = chan_next(s->chan, &f)) == CHAN_AGAIN) {
		while ((st = chan_read(s->chan)) == CHAN_AGAIN)
			; // interrupted
		if (st != CHAN_OK)
			break;
	}
	if (st == CHAN_EOF) {
		snprintf(s->error, sizeof(s->error), "the audit daemon closed the connection");
		return -1;
	}
	struct msg_audit_end end;
	struct msg_error e;
	if (st == CHAN_OK && f.type == MSG_AUDIT_RECORD) {
		*record_r = (struct view){.p = (const char *)f.payload, .len = f.len};
		return 1;
	}
	if (st == CHAN_OK && f.type == MSG_AUDIT_END && chan_decode(s->chan, &f, &end) == CHAN_OK) {
		s->head_seq = end.head_seq;
		memcpy(s->head, end.head.p, CHAIN_HASH);
		return 0;
	}
	if (st == CHAN_OK && f.type == MSG_ERROR && chan_decode(s->chan, &f, &e) == CHAN_OK) {
		snprintf(s->error, sizeof(s->error), "%.*s", (int)e.message.len, e.message.p);
		s->damaged = view_eq_str(e.code, "audit_tampered");
		return -1;
	}
	snprintf(s->error, sizeof(s->error), "the audit daemon's answer makes no sense: %s",
	    chan_reason(s->chan));
	return -1;
}

static bool
stream_head(struct stream *s)
{
	struct view none;
	return stream_ask(s, UINT64_MAX, 1, false) && stream_next(s, &none) == 0;
}

static bool
parse_number(const char *text, uint64_t *out)
{
	char *end;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *text != '-';
}

// --- tail and export -----------------------------------------------------------------

enum format { FORMAT_LINE, FORMAT_JSON, FORMAT_RAW };

static bool
print_record(struct view bytes, enum format format, uint8_t leaf[CHAIN_HASH])
{
	struct record r;
	chain_leaf(leaf, (const uint8_t *)bytes.p, bytes.len);
	if (format == FORMAT_RAW) {
		uint8_t len[4] = {0, 0, (uint8_t)(bytes.len >> 8), (uint8_t)bytes.len};
		fwrite(len, 1, sizeof(len), stdout);
		fwrite(bytes.p, 1, bytes.len, stdout);
		return !ferror(stdout);
	}
	if (record_decode((const uint8_t *)bytes.p, bytes.len, &r) != 0) {
		cli_fail("a record is not canonical AREC/1; run: sallyport audit verify");
		return false;
	}
	if (format == FORMAT_JSON)
		audit_print_json(&r, leaf);
	else
		audit_print_line(&r);
	return !ferror(stdout);
}

static int
print_stream(struct stream *s, enum format format, bool follow)
{
	struct view record;
	uint8_t leaf[CHAIN_HASH];
	int got;
	while ((got = stream_next(s, &record)) == 1) {
		if (!print_record(record, format, leaf))
			return EXIT_UNREADABLE;
		if (follow)
			fflush(stdout);
	}
	if (got == 0)
		return 0;
	fflush(stdout);
	cli_fail("%s", s->error);
	return EXIT_UNREADABLE;
}

static bool opt_follow, opt_json;
static const char *opt_lines, *opt_format, *opt_from, *opt_path;
static struct cli_list opt_anchor;

static int
run_tail(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct stream s;
	uint64_t lines = 20;
	if (opt_lines != NULL && !parse_number(opt_lines, &lines))
		return cli_fail("-n takes a number of records, not '%s'", opt_lines),
		       EXIT_UNREADABLE;
	if (!stream_open(&s))
		return EXIT_UNREADABLE;
	int code = EXIT_UNREADABLE;
	if (!stream_head(&s)) {
		cli_fail("%s", s.error);
		goto out;
	}
	uint64_t from = s.head_seq + 1 > lines ? s.head_seq + 1 - lines : 0;
	if (!stream_ask(&s, from, 0, opt_follow))
		cli_fail("%s", s.error);
	else
		code = print_stream(&s, opt_json ? FORMAT_JSON : FORMAT_LINE, opt_follow);
out:
	chan_free(s.chan);
	return code;
}

// Raw: "SPAREC1\n", then per record its length (4 bytes, big-endian) and its bytes; at the
// end a length of 0, the head's number (8 bytes) and leaf hash, so that a cut file shows.
static void
put_raw_end(const struct stream *s)
{
	uint8_t end[4 + 8] = {0};
	for (unsigned i = 0; i < 8; i++)
		end[4 + i] = (uint8_t)(s->head_seq >> (56 - 8 * i));
	fwrite(end, 1, sizeof(end), stdout);
	fwrite(s->head, 1, CHAIN_HASH, stdout);
}

static int
run_export(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct stream s;
	uint64_t from = 0;
	enum format format = FORMAT_JSON;
	if (opt_format != NULL && strcmp(opt_format, "raw") == 0)
		format = FORMAT_RAW;
	else if (opt_format != NULL && strcmp(opt_format, "json") != 0)
		return cli_fail("--format is json or raw, not '%s'", opt_format), EXIT_UNREADABLE;
	if (opt_from != NULL && !parse_number(opt_from, &from))
		return cli_fail("--from takes a record number, not '%s'", opt_from),
		       EXIT_UNREADABLE;
	if (format == FORMAT_RAW && isatty(STDOUT_FILENO))
		return cli_fail(
			   "raw records are bytes, not text: write them to a file with > FILE"),
		       EXIT_UNREADABLE;
	if (!stream_open(&s))
		return EXIT_UNREADABLE;
	int code = EXIT_UNREADABLE;
	if (format == FORMAT_RAW)
		fputs(RAW_MAGIC, stdout);
	if (!stream_ask(&s, from, 0, false))
		cli_fail("%s", s.error);
	else
		code = print_stream(&s, format, false);
	if (code == 0 && format == FORMAT_RAW)
		put_raw_end(&s);
	chan_free(s.chan);
	return code;
}

// --- verify ----------------------------------------------------------------------------

static enum verify_verdict
verify_stream(struct verify *v)
{
	struct stream s;
	struct view record;
	int got = -1;
	if (!stream_open(&s)) {
		snprintf(v->why, sizeof(v->why), "no audit daemon");
		return VERIFY_UNREADABLE;
	}
	if (stream_ask(&s, 0, 0, false))
		while ((got = stream_next(&s, &record)) == 1)
			if (!verify_record(v, (const uint8_t *)record.p, record.len, NULL))
				break;
	enum verify_verdict verdict;
	if (got == -1 && !v->tampered && !s.damaged) {
		snprintf(v->why, sizeof(v->why), "%s", s.error);
		verdict = VERIFY_UNREADABLE;
		goto out;
	}
	if (got == -1 && s.damaged && !v->tampered) {
		v->tampered = true;
		v->bad_seq = v->edge.size;
		snprintf(v->why, sizeof(v->why), "%s", s.error);
	}
	// What the daemon calls its head must be the last record that it sent.
	if (got == 0 &&
	    (s.head_seq + 1 != v->edge.size || memcmp(s.head, v->head, CHAIN_HASH) != 0)) {
		v->tampered = true;
		v->bad_seq = v->edge.size;
		snprintf(v->why, sizeof(v->why),
		    "the daemon names record %" PRIu64 " as its head, but sent another end",
		    s.head_seq);
	}
	verdict = verify_end(v);
out:
	chan_free(s.chan);
	return verdict;
}

static const char *const verdict_names[] = {
    [VERIFY_ANCHORED] = "anchored",
    [VERIFY_TAMPERED] = "tampered",
    [VERIFY_UNANCHORED] = "unanchored",
    [VERIFY_UNREADABLE] = "unreadable",
};

static void
set_hex(json_t *o, const char *name, const uint8_t *p, size_t len)
{
	char out[2 * CHAIN_HASH + 1];
	audit_print_hex(p, len, out);
	json_object_set_new(o, name, json_string(out));
}

static void
set_number(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
}

static void
say_json(const struct verify *v, enum verify_verdict verdict)
{
	uint8_t root[CHAIN_HASH];
	json_t *o = json_object(), *gaps = json_object(), *open = json_array();
	json_object_set_new(o, "verdict", json_string(verdict_names[verdict]));
	set_number(o, "exit_code", verdict);
	set_number(o, "records", v->records);
	if (v->edge.size != 0) {
		chain_edge_root(&v->edge, root);
		set_hex(o, "log_id", v->log_id, CHAIN_LOG_ID);
		set_number(o, "head_seq", v->edge.size - 1);
		set_hex(o, "head", v->head, CHAIN_HASH);
		set_hex(o, "root", root, CHAIN_HASH);
	}
	if (verdict == VERIFY_TAMPERED)
		set_number(o, "bad_seq", v->bad_seq);
	if (verdict == VERIFY_TAMPERED || verdict == VERIFY_UNREADABLE)
		json_object_set_new(o, "reason", json_string(v->why));
	if (verdict == VERIFY_TAMPERED && v->have_hashes) {
		set_hex(o, "want", v->want, CHAIN_HASH);
		set_hex(o, "got", v->got, CHAIN_HASH);
	}
	for (size_t i = 0; i < v->open_first_count; i++)
		json_array_append_new(open, json_integer((json_int_t)v->open_first[i]));
	set_number(gaps, "open_intents", v->open);
	json_object_set_new(gaps, "open_first", open);
	set_number(gaps, "orphans", v->orphans);
	set_number(gaps, "late_completions", v->late);
	set_number(gaps, "completions_without_intent", v->no_intent);
	set_number(gaps, "clock_went_back", v->clock_back);
	set_number(gaps, "daemon_starts", v->starts);
	json_object_set_new(o, "gaps", gaps);
	char *text = json_dumps(o, JSON_INDENT(2));
	puts(text == NULL ? "{}" : text);
	free(text);
	json_decref(o);
}

static void
say_head(const struct verify *v)
{
	char hex[2 * CHAIN_HASH + 1], root_hex[2 * CHAIN_HASH + 1], when[AUDIT_PRINT_TIME];
	uint8_t root[CHAIN_HASH];
	chain_edge_root(&v->edge, root);
	audit_print_hex(v->head, CHAIN_HASH, hex);
	audit_print_hex(root, CHAIN_HASH, root_hex);
	audit_print_time(v->t_commit, when);
	printf("records  %" PRIu64 ", the last of %s\n", v->records, when);
	printf("head     %" PRIu64 ":%s\n", v->edge.size - 1, hex);
	printf("root     %s\n", root_hex);
}

static void
say_gaps(const struct verify *v)
{
	printf("gaps     %" PRIu64 " open intents, %" PRIu64 " given up (%" PRIu64
	       " of them completed late), %" PRIu64 " completions without intent, %" PRIu64
	       " times the clock went back, %" PRIu64 " starts\n",
	    v->open, v->orphans, v->late, v->no_intent, v->clock_back, v->starts);
	for (size_t i = 0; i < v->open_first_count; i++)
		printf("%s#%" PRIu64, i == 0 ? "open     " : " ", v->open_first[i]);
	if (v->open_first_count != 0)
		printf("%s\n", v->open > v->open_first_count ? " ..." : "");
}

static void
say(const struct verify *v, enum verify_verdict verdict)
{
	char want[2 * CHAIN_HASH + 1], got[2 * CHAIN_HASH + 1];
	switch (verdict) {
	case VERIFY_ANCHORED:
		printf("OK: complete up to the remembered head, unchanged, consistent since\n");
		break;
	case VERIFY_TAMPERED:
		printf("TAMPERED at record %" PRIu64 ": %s\n", v->bad_seq, v->why);
		audit_print_hex(v->want, CHAIN_HASH, want);
		audit_print_hex(v->got, CHAIN_HASH, got);
		if (v->have_hashes)
			printf("expected %s\nfound    %s\n", want, got);
		return;
	case VERIFY_UNANCHORED:
		printf("CONSISTENT, NOT ANCHORED: every record is in order, but nothing here shows "
		       "that the end was not cut off or the whole log replaced\n");
		break;
	case VERIFY_UNREADABLE:
		cli_fail("cannot verify: %s", v->why);
		return;
	}
	say_head(v);
	say_gaps(v);
	if (verdict == VERIFY_UNANCHORED)
		printf("Keep the head above somewhere else, and next time run: "
		       "sallyport audit verify --anchor SEQ:HASH\n");
}

static int
run_verify(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct verify v;
	verify_init(&v);
	enum verify_verdict verdict = VERIFY_UNREADABLE;
	for (size_t i = 0; i < opt_anchor.n; i++)
		if (verify_anchor_parse(&v, opt_anchor.v[i]) != 0) {
			cli_fail("--anchor takes SEQ:HASH as `verify` prints it after \"head\" (64 "
				 "hex digits; at most %u of them), not '%s'",
			    VERIFY_ANCHORS_MAX, opt_anchor.v[i]);
			goto out;
		}
	verdict = opt_path == NULL ? verify_stream(&v) : verify_dir(&v, opt_path);
	if (opt_json)
		say_json(&v, verdict);
	else
		say(&v, verdict);
out:
	verify_free(&v);
	return (int)verdict;
}

// --- dispatch ------------------------------------------------------------------------------

static const struct cli_option tail_options[] = {
    {.name = "lines",
	.arg = "N",
	.help = "how many of the last records (-n N), default 20",
	.value = &opt_lines},
    {.name = "follow", .help = "go on with new records (-f)", .flag = &opt_follow},
    {.name = "json", .help = "one JSON object a line", .flag = &opt_json},
    {.name = NULL},
};

static const struct cli_option export_options[] = {
    {.name = "format",
	.arg = "json|raw",
	.help = "json: one object a line; raw: the stored bytes, for another verifier",
	.value = &opt_format},
    {.name = "from", .arg = "N", .help = "first record, default 0", .value = &opt_from},
    {.name = NULL},
};

static const struct cli_option verify_options[] = {
    {.name = "anchor",
	.arg = "SEQ:HASH",
	.help = "a head that you remembered; repeatable",
	.list = &opt_anchor},
    {.name = "path",
	.arg = "DIR",
	.help = "a copied log directory, without a daemon",
	.value = &opt_path},
    {.name = "json", .help = "the result as one JSON object", .flag = &opt_json},
    {.name = NULL},
};

static const struct cli_command audit_commands[] = {
    {.name = "audit tail",
	.args = "",
	.purpose = "print the last audit records",
	.example = "  sallyport audit tail -n 50 -f",
	.options = tail_options,
	.run = run_tail},
    {.name = "audit verify",
	.args = "",
	.purpose = "check that the log was not changed",
	.details = "Exit status: 0 consistent and anchored by a remembered head, 1 tampered with,\n"
		   "2 consistent but not anchored, 3 cannot be read (or wrong usage).",
	.example = "  sallyport audit verify --anchor 1041:9f2c...",
	.options = verify_options,
	.run = run_verify},
    {.name = "audit export",
	.args = "",
	.purpose = "write all audit records",
	.example = "  sallyport audit export --format raw > log.raw",
	.options = export_options,
	.run = run_export},
};

static int
overview(void)
{
	printf("sallyport audit: read and verify the audit trail\n\n");
	for (size_t i = 0; i < ARRAY_LEN(audit_commands); i++)
		printf("  %-16s %s\n", audit_commands[i].name, audit_commands[i].purpose);
	printf("\nsallyport audit COMMAND --help tells more.\n");
	return 0;
}

// cli_parse knows long options; these two have short ones by tradition.
static void
widen(int argc, char **argv)
{
	static char lines[] = "--lines", follow[] = "--follow";
	for (int i = 0; i < argc; i++)
		if (strcmp(argv[i], "-n") == 0)
			argv[i] = lines;
		else if (strcmp(argv[i], "-f") == 0)
			argv[i] = follow;
}

int
audit_main(int argc, char **argv, const char *dir)
{
	cli_dir = dir;
	chain_init();
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		overview();
		return argc < 2 ? EXIT_UNREADABLE : 0;
	}
	char name[64];
	snprintf(name, sizeof(name), "audit %s", argv[1]);
	for (size_t i = 0; i < ARRAY_LEN(audit_commands); i++) {
		if (strcmp(audit_commands[i].name, name) != 0)
			continue;
		widen(argc - 2, argv + 2);
		int n = cli_parse(&audit_commands[i], argc - 2, argv + 2);
		if (n < 0)
			return n == -2 ? 0 : EXIT_UNREADABLE;
		return audit_commands[i].run(n, argv + 2);
	}
	cli_fail("there is no command \"audit %s\"; it has tail, verify and export", argv[1]);
	return EXIT_UNREADABLE;
}
