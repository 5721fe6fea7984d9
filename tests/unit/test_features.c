/* test_features.c -- views, online reads and training sets: the rules of time, and checks that see when they are broken. */
#include "features_fixture.h"

static const char stats_csv[] = "zone,at,made,trips,fare,name\n"
				"a,2019-03-01 00:00:00,2019-03-01 01:00:00,1,10.5,one\n"
				"a,2019-03-02 00:00:00,2019-03-02 01:00:00,2,20.5,two\n"
				"a,2019-03-02 00:00:00,2019-03-02 02:00:00,3,,three\n"
				"a,2019-03-05 00:00:00,2019-03-05 01:00:00,5,50.5,five\n"
				"b,2019-03-01 00:00:00,2019-03-01 01:00:00,7,70.5,seven\n"
				",2019-03-01 00:00:00,2019-03-01 01:00:00,9,90.5,nobody\n";
static const char view_yaml[] = "name: stats\nkeys: [zone]\ndataset: stats\ntime_column: at\ncreated_column: made\n"
				"features: [trips, {name: fare, type: float}, name]\n";
static const char view_ttl_yaml[] = "name: stats\nkeys: [zone]\ndataset: stats\ntime_column: at\ncreated_column: made\nttl: 2d\n"
				    "features: [trips, {name: fare, type: float}, name]\n";

static void load_stats(struct features_fixture *f)
{
	load(f, "stats", stats_csv);
	applied(f, view_yaml);
}

/* --- definitions ------------------------------------------------------------------------------------------------ */

static void definitions_are_checked(void **state)
{
	static const struct { const char *yaml, *says; } bad[] = {
		{ "name: v\nkeys: [zone]\ndataset: nothing\ntime_column: at\nfeatures: [trips]\n", "dataset 'nothing' does not exist" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: at\nfeatures: [trip]\n", "has no column 'trip'; it has zone, at" },
		{ "name: v\nkeys: [zon]\ndataset: stats\ntime_column: at\nfeatures: [trips]\n", "has no column 'zon'" },
		{ "name: v\nkeys: [fare]\ndataset: stats\ntime_column: at\nfeatures: [trips]\n", "a join key is text or a whole number" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: trips\nfeatures: [fare]\n", "not a time" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: at\nfeatures: [{name: trips, type: string}]\n", "is BIGINT in the dataset, not string" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: at\nfeatures: [{name: trips, type: number}]\n", "types are float, int" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: at\nfeatures: [trips, trips]\n", "given twice" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: at\nfeatures: [zone]\n", "is a join key" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_column: at\n", "features is required" },
		{ "views: []\n", "'views' is empty" },
		{ "name: v\nviews: [{name: w, keys: [zone], dataset: stats, time_column: at, features: [trips]}]\n", "not both" },
		{ "name: v\nkeys: [zone]\ndataset: stats\ntime_colum: at\nfeatures: [trips]\n", "views.yaml:4:1" },
	};
	struct features_fixture *f = features_fixture(state);
	struct view_changes out;
	struct list views;

	load(f, "stats", stats_csv);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_not_equal(apply(f, bad[i].yaml, &out), RC_OK);
		assert_has(f->l->e.msg, bad[i].says);
	}
	/* One bad view of two: none is applied. */
	assert_int_not_equal(apply(f, "views:\n- {name: v, keys: [zone], dataset: stats, time_column: at, features: [trips]}\n"
				      "- {name: w, keys: [zone], dataset: stats, time_column: at, features: [no]}\n", &out), RC_OK);
	OK(f->l, features__views(f->features, &f->l->a, &views, &f->l->e));
	assert_int_equal(views.n, 0);
}

static void applying_again_changes_nothing(void **state)
{
	struct features_fixture *f = features_fixture(state);
	struct view_changes out;

	load_stats(f);
	assert_int_equal(apply(f, view_yaml, &out), RC_OK);
	assert_str_is(LIST_AT(out.views, struct view_change, 0)->change, "unchanged");
	assert_int_equal(apply(f, view_ttl_yaml, &out), RC_OK);
	assert_str_is(LIST_AT(out.views, struct view_change, 0)->change, "changed");
	assert_int_equal(LIST_AT(out.views, struct view_change, 0)->revision, 2);
}

/* --- online ------------------------------------------------------------------------------------------------------- */

static struct online_reader *reader_of(struct features_fixture *f, const char *view)
{
	const str names[] = { STR("fare"), STR("trips"), STR("name") };
	struct online_reader *r = NULL;

	OK(f->l, features_reader_new(f->features, str_of(view), names, 3, &r, &f->l->e));
	return r;
}

static struct online_row read_one(struct features_fixture *f, struct online_reader *r, str key, int64_t now_ms)
{
	struct online_row row;

	OK(f->l, features_read(r, &key, 1, now_ms, &f->l->a, &row, &f->l->e));
	return row;
}

static void the_newest_row_is_read(void **state)
{
	struct features_fixture *f = features_fixture(state);
	struct online_reader *r;
	struct online_row row;

	load_stats(f);
	r = reader_of(f, "stats");
	assert_int_equal(read_one(f, r, STR("a"), 0).value[1].status, FEATURE_NOT_FOUND);        /* nothing is materialised */
	struct materialisation m = materialised(f, "stats", time_of("2019-03-04T00:00:00Z"));
	assert_int_equal(m.n_keys, 2);
	assert_int_equal(m.n_without_key, 1);
	/* The same reader follows. At one event time the row that was made last counts; its fare is missing. */
	row = read_one(f, r, STR("a"), 0);
	assert_int_equal(row.event_ms, time_of("2019-03-02T00:00:00Z"));
	assert_int_equal(row.value[0].status, FEATURE_NULL);
	assert_int_equal(row.value[1].status, FEATURE_PRESENT);
	assert_int_equal(row.value[1].integer, 3);
	assert_str_is(row.value[2].text, "three");
	assert_int_equal(read_one(f, r, STR("nowhere"), 0).value[1].status, FEATURE_NOT_FOUND);
	(void)materialised(f, "stats", 0);
	assert_int_equal(read_one(f, r, STR("a"), 0).value[1].integer, 5);
	assert_int_equal(read_one(f, r, STR("b"), 0).value[1].integer, 7);
	features_reader_free(&r);
}

static void values_grow_too_old(void **state)
{
	struct features_fixture *f = features_fixture(state);
	struct online_reader *r;

	load(f, "stats", stats_csv);
	applied(f, view_ttl_yaml);
	(void)materialised(f, "stats", 0);
	r = reader_of(f, "stats");
	int64_t event = time_of("2019-03-05T00:00:00Z"), ttl = 2 * MS_DAY;
	assert_int_equal(read_one(f, r, STR("a"), event + ttl).value[1].status, FEATURE_PRESENT);      /* both ends count */
	struct online_row row = read_one(f, r, STR("a"), event + ttl + 1);
	assert_int_equal(row.value[1].status, FEATURE_TOO_OLD);
	assert_int_equal(row.value[1].integer, 5);
	assert_int_equal(read_one(f, r, STR("a"), 0).value[1].status, FEATURE_PRESENT);
	features_reader_free(&r);
}

static void readers_follow_a_changed_view(void **state)
{
	struct features_fixture *f = features_fixture(state);
	const str key = STR("a");
	struct online_reader *r;
	struct online_row row;

	load_stats(f);
	(void)materialised(f, "stats", 0);
	r = reader_of(f, "stats");
	/* A feature goes: what is stored is read until the next materialisation, then it is missing. */
	applied(f, "name: stats\nkeys: [zone]\ndataset: stats\ntime_column: at\ncreated_column: made\nfeatures: [name, trips]\n");
	assert_int_equal(read_one(f, r, key, 0).value[0].status, FEATURE_PRESENT);
	(void)materialised(f, "stats", 0);
	row = read_one(f, r, key, 0);
	assert_int_equal(row.value[0].status, FEATURE_NOT_FOUND);
	assert_int_equal(row.value[1].integer, 5);
	assert_str_is(row.value[2].text, "five");
	/* Other keys: an old reader is told. */
	applied(f, "name: stats\nkeys: [zone, name]\ndataset: stats\ntime_column: at\nfeatures: [trips]\n");
	f->l->e = ERR_INIT;
	assert_int_equal(features_read(r, &key, 1, 0, &f->l->a, &row, &f->l->e), RC_CONFLICT);
	features_reader_free(&r);
}

/* --- materialisations ------------------------------------------------------------------------------------------------ */

static bool count(void *ctx, str key, str value)
{
	(void)key;
	(void)value;
	*(int64_t *)ctx += 1;
	return true;
}

static int64_t keys_under(struct features_fixture *f, str prefix)
{
	int64_t n = 0;

	OK(f->l, kvstore_scan(f->l->core.kv, prefix, count, &n, &f->l->e));
	return n;
}

static void the_old_one_is_cleaned(void **state)
{
	struct features_fixture *f = features_fixture(state);

	load_stats(f);
	struct materialisation one = materialised(f, "stats", 0), two = materialised(f, "stats", 0);
	OK(f->l, features__clean(f->features, 60000, &f->l->e));
	assert_int_equal(keys_under(f, features__prefix(&f->l->a, STR("stats"), one.id)), 2);     /* readers may be on it still */
	OK(f->l, features__clean(f->features, 0, &f->l->e));
	assert_int_equal(keys_under(f, features__prefix(&f->l->a, STR("stats"), one.id)), 0);
	assert_int_equal(keys_under(f, features__prefix(&f->l->a, STR("stats"), two.id)), 2);
}

/* What a process that was killed in the middle left: rows without an end. */
static void half_a_materialisation_is_never_read(void **state)
{
	struct features_fixture *f = features_fixture(state);
	struct materialisation dead;
	void *self = f->features;

	load_stats(f);
	(void)materialised(f, "stats", time_of("2019-03-04T00:00:00Z"));
	dead = (struct materialisation){ .id = STR("mt_dead"), .view = STR("stats"), .revision = 1, .source = STR("stats@1"), .as_of_ms = 1,
					 .started_ms = 1, .place = f->features->place };
	OK(f->l, features__materialisation_begin(f->features, &dead, &f->l->e));
	const struct kv_item item = { features__prefix(&f->l->a, dead.view, dead.id), STR("half") };
	OK(f->l, kvstore_write(f->l->core.kv, &item, 1, &f->l->e));
	features_module.close(&self);
	features_open_again(f);
	struct online_reader *r = reader_of(f, "stats");
	assert_int_equal(read_one(f, r, STR("a"), 0).value[1].integer, 3);
	features_reader_free(&r);
	OK(f->l, features__clean(f->features, 0, &f->l->e));
	assert_int_equal(keys_under(f, item.key), 0);
}

static void one_at_a_time(void **state)
{
	struct features_fixture *f = features_fixture(state);
	const struct materialise_request r = { .name = STR("stats") };
	struct materialisation m;

	load_stats(f);
	assert_true(features__begin(f->features, STR("stats")));
	assert_int_equal(features__materialise(f->features, &r, &principal_system, NULL, &f->l->a, &m, &f->l->e), RC_CONFLICT);
	features__end(f->features, STR("stats"));
	(void)materialised(f, "stats", 0);
}

/* --- training sets ----------------------------------------------------------------------------------------------------- */

static const char labels_csv[] = "zone,seen,y,hour\n"
				 "a,2019-02-28 23:59:59,1.5,23\n"       /* before anything was known */
				 "a,2019-03-01 00:00:00,2.5,0\n"        /* at the very time of a row */
				 "a,2019-03-04 00:00:00,3.5,0\n"        /* two days after a row */
				 "a,2019-03-04 00:00:01,4.5,0\n"        /* one second more */
				 "b,2019-03-09 00:00:00,5.5,0\n"
				 "c,2019-03-09 00:00:00,6.5,0\n"        /* a key that the view does not have */
				 ",2019-03-09 00:00:00,7.5,0\n"
				 "a,2019-03-09 00:00:00,,0\n"           /* no label */
				 "a,,8.5,0\n";                          /* no time */
static const char set_yaml[] = "name: s\ndataset: labels\nlabel: y\ntime_column: seen\ncolumns: [hour]\nfeatures: [\"stats:trips\", \"stats:name\"]\n";

static void a_label_sees_what_was_known(void **state)
{
	struct features_fixture *f = features_fixture(state);

	load_stats(f);
	load(f, "labels", labels_csv);
	struct training_set s = set_made(f, set_yaml);
	assert_int_equal(s.n_rows, 7);
	assert_int_equal(s.n_left_out, 2);
	assert_int_equal(s.columns.n, 3);
	assert_int_equal(s.sources.n, 2);
	struct result r = set_rows(f, &s, "SELECT trips FROM rows ORDER BY y");
	const int64_t trips[] = { -1, 1, 3, 3, 7, -1, -1 };
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(r.col[0].null[i], trips[i] < 0);
		assert_int_equal(trips[i] < 0 ? -1 : r.col[0].i[i], trips[i]);
	}
	/* label, time, key, request column, features, event time */
	r = set_rows(f, &s, "SELECT * FROM rows LIMIT 1");
	const char *const names[] = { "y", "seen", "zone", "hour", "trips", "name", "stats__event_time" };
	assert_int_equal(r.n_col, ARRAY_LEN(names));
	for (size_t i = 0; i < r.n_col; i++)
		assert_str_is(r.col[i].c.name, names[i]);
}

static void the_ttl_counts_both_ends(void **state)
{
	struct features_fixture *f = features_fixture(state);

	load(f, "stats", stats_csv);
	applied(f, view_ttl_yaml);
	load(f, "labels", labels_csv);
	struct training_set s = set_made(f, set_yaml);
	struct result r = set_rows(f, &s, "SELECT trips FROM rows ORDER BY y");
	const int64_t trips[] = { -1, 1, 3, -1, -1, -1, -1 };
	assert_int_equal(r.n, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(r.col[0].null[i] ? -1 : r.col[0].i[i], trips[i]);
}

static void the_future_changes_nothing(void **state)
{
	static const char later[] = "zone,at,made,trips,fare,name\n"
				    "a,2019-03-01 00:00:00,2019-03-01 01:00:00,1,10.5,one\n"
				    "a,2019-03-02 00:00:00,2019-03-02 01:00:00,2,20.5,two\n"
				    "a,2019-03-02 00:00:00,2019-03-02 02:00:00,3,,three\n"
				    "a,2019-03-05 00:00:00,2019-03-05 01:00:00,5555,5.5,changed\n"
				    "b,2019-03-01 00:00:00,2019-03-01 01:00:00,7,70.5,seven\n"
				    "a,2019-03-06 00:00:00,2019-03-06 01:00:00,66,6.5,new\n";
	static const char past[] = "zone,at,made,trips,fare,name\n"
				   "a,2019-03-01 00:00:00,2019-03-01 01:00:00,111,10.5,changed\n"
				   "b,2019-03-01 00:00:00,2019-03-01 01:00:00,7,70.5,seven\n";
	static const char labels[] = "zone,seen,y,hour\na,2019-03-01 12:00:00,1.5,12\na,2019-03-04 23:59:59,2.5,23\nb,2019-03-04 00:00:00,3.5,0\n";
	struct features_fixture *f = features_fixture(state);

	load_stats(f);
	load(f, "labels", labels);
	struct training_set before = set_made(f, set_yaml);
	load(f, "stats", later);
	struct training_set after = set_made(f, set_yaml);
	assert_false(str_eq(LIST_AT(before.sources, str, 1)[0], LIST_AT(after.sources, str, 1)[0]));
	assert_true(str_eq(before.digest, after.digest));
	/* The digest is not blind: a change of the past shows. */
	load(f, "stats", past);
	assert_false(str_eq(before.digest, set_made(f, set_yaml).digest));
}

static void the_digest_is_of_the_content(void **state)
{
	static const char turned[] = "hour,y,seen,zone\n3,3.5,2019-03-04 00:00:00,b\n2,2.5,2019-03-04 23:59:59,a\n1,1.5,2019-03-01 12:00:00,a\n";
	static const char labels[] = "zone,seen,y,hour\na,2019-03-01 12:00:00,1.5,1\na,2019-03-04 23:59:59,2.5,2\nb,2019-03-04 00:00:00,3.5,3\n";
	struct features_fixture *f = features_fixture(state);
	struct query *q = NULL;
	str one, two, three;

	load_stats(f);
	load(f, "labels", labels);
	struct training_set before = set_made(f, set_yaml);
	load(f, "labels", turned);
	assert_true(str_eq(before.digest, set_made(f, set_yaml).digest));
	/* A row twice is not a row once, and NULL is not ''. */
	OK(f->l, query_open(f->l->core.query, &q, &f->l->e));
	OK(f->l, query_exec(q, STR("CREATE TABLE a AS SELECT 'x' AS v; CREATE TABLE b AS SELECT 'x' AS v UNION ALL SELECT 'x';"
				   "CREATE TABLE c AS SELECT NULL::VARCHAR AS v; CREATE TABLE d AS SELECT '' AS v"), NULL, &f->l->e));
	OK(f->l, features__digest(q, STR("a"), &f->l->a, &one, &f->l->e));
	OK(f->l, features__digest(q, STR("b"), &f->l->a, &two, &f->l->e));
	assert_false(str_eq(one, two));
	OK(f->l, features__digest(q, STR("c"), &f->l->a, &two, &f->l->e));
	OK(f->l, features__digest(q, STR("d"), &f->l->a, &three, &f->l->e));
	assert_false(str_eq(two, three));
	query_close(&q);
}

static void bad_requests_are_told(void **state)
{
	static const struct { const char *yaml, *says; } bad[] = {
		{ "name: s\nlabel: y\ntime_column: seen\ncolumns: [hour]\n", "give either dataset or sql" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\n", "give features, columns or both" },
		{ "name: s\ndataset: nolabels\nlabel: y\ntime_column: seen\ncolumns: [hour]\n", "dataset 'nolabels' does not exist" },
		{ "name: s\ndataset: labels\nlabel: z\ntime_column: seen\ncolumns: [hour]\n", "the labels have no column 'z'; they have zone, seen" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: hour\ncolumns: [zone]\n", "not a time" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\ncolumns: [y]\n", "is the label" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\ncolumns: [hour, hour]\n", "asked for twice" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\nfeatures: [trips]\n", "view:feature" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\nfeatures: [\"none:trips\"]\n", "feature view 'none' does not exist" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\nfeatures: [\"stats:none\"]\n", "has no feature 'none'" },
		{ "name: s\nsql: SELECT * FROM '/etc/passwd'\nlabel: y\ntime_column: seen\ncolumns: [hour]\n", "" },
		{ "name: s\nsql: DROP TABLE labels\nlabel: y\ntime_column: seen\ncolumns: [hour]\n", "" },
		{ "name: s\nsql: SELECT seen, y FROM labels\nlabel: y\ntime_column: seen\nfeatures: [\"stats:trips\"]\n", "join key of feature view 'stats'" },
		{ "name: s\ndataset: labels\nlabel: y\ntime_column: seen\ncolumns: [hour]\nsplit: 2018-01-01T00:00:00Z\n", "leaves 0 rows to train" },
		{ "name: s\nsql: SELECT *, 1 AS trips FROM labels\nlabel: y\ntime_column: seen\ncolumns: [trips]\nfeatures: [\"stats:trips\"]\n",
		  "has the name of a column of the labels" },
	};
	struct features_fixture *f = features_fixture(state);
	struct training_set s;

	load_stats(f);
	load(f, "labels", labels_csv);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (make_set(f, bad[i].yaml, &s) == RC_OK)
			fail_msg("was taken: %s", bad[i].yaml);
		assert_has(f->l->e.msg, bad[i].says);
		assert_int_not_equal(f->l->e.rc, RC_INTERNAL);
	}
	assert_int_equal(query_engine_sessions(f->l->core.query), 0);
}

static void keys_may_have_other_names(void **state)
{
	struct features_fixture *f = features_fixture(state);

	load_stats(f);
	load(f, "labels", labels_csv);
	struct training_set s = set_made(f, "name: s\nsql: SELECT zone AS place, seen, y FROM labels WHERE y < 5\nlabel: y\ntime_column: seen\n"
					    "keys: {zone: place}\nfeatures: [\"stats:*\"]\n");
	struct result r = set_rows(f, &s, "SELECT count(trips) FROM rows");
	assert_int_equal(r.col[0].i[0], 3);
}

/* --- checks, each with the failure it is there for ---------------------------------------------------------------------- */

static const struct check_def *check_named(const char *id)
{
	for (size_t i = 0; i < FEATURES_CHECKS; i++) {
		if (strcmp(features_checks[i].id, id) == 0)
			return &features_checks[i];
	}
	fail();
	return NULL;
}

static void a_skewed_value_is_seen(void **state)
{
	const struct check_def *d = check_named("features.online_equals_offline");
	struct features_fixture *f = features_fixture(state);
	static const enum value_kind kind[] = { VALUE_INT, VALUE_FLOAT, VALUE_STRING };
	const struct row_value wrong[] = { { .i = 5 }, { .f = 50.500001 }, { .s = STR("five") } };
	struct buf b = BUF_INIT(4096);
	char key[ROW_KEY_MAX];

	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_SKIPPED);
	load_stats(f);
	struct materialisation m = materialised(f, "stats", 0);
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
	row_put(&b, time_of("2019-03-05T00:00:00Z") * 1000, kind, wrong, 3);
	const str a = STR("a");
	const struct kv_item item = { str_n(key, row_key(key, features__prefix(&f->l->a, STR("stats"), m.id), &a, 1)), buf_str(&b) };
	OK(f->l, kvstore_write(f->l->core.kv, &item, 1, &f->l->e));
	buf_deinit(&b);
	struct check_outcome o = outcome_of(f, d, f->features);
	assert_int_equal(o.outcome, CHECK_FAILED);
	assert_has(LIST_AT(o.evidence, str, 0)->at, "1 of 6 online values of 2 keys differ");
}

static void a_lost_key_is_seen(void **state)
{
	const struct check_def *d = check_named("features.online_complete");
	struct features_fixture *f = features_fixture(state);
	char key[ROW_KEY_MAX];
	const str b = STR("b");

	load_stats(f);
	struct materialisation m = materialised(f, "stats", 0);
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
	const struct kv_item item = { .key = str_n(key, row_key(key, features__prefix(&f->l->a, STR("stats"), m.id), &b, 1)) };
	OK(f->l, kvstore_write(f->l->core.kv, &item, 1, &f->l->e));
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_FAILED);
}

static void a_read_that_fails_is_seen(void **state)
{
	const struct check_def *d = check_named("features.online_fast");
	struct features_fixture *f = features_fixture(state);
	char key[ROW_KEY_MAX];
	const str b = STR("b");

	load_stats(f);
	struct materialisation m = materialised(f, "stats", 0);
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
	const struct kv_item item = { str_n(key, row_key(key, features__prefix(&f->l->a, STR("stats"), m.id), &b, 1)), STR("\001damaged") };
	OK(f->l, kvstore_write(f->l->core.kv, &item, 1, &f->l->e));
	struct check_outcome o = outcome_of(f, d, f->features);
	assert_int_equal(o.outcome, CHECK_FAILED);
	assert_has(LIST_AT(o.evidence, str, 0)->at, "damaged");
}

static void a_wrong_age_is_seen(void **state)
{
	static const struct metric_def age = { "cairn_feature_age_seconds", METRIC_GAUGE, "", { "view" } };
	const struct check_def *d = check_named("features.age_is_told");
	struct features_fixture *f = features_fixture(state);
	const str view = STR("stats");

	load_stats(f);
	(void)materialised(f, "stats", time_of("2019-03-04T00:00:00Z"));
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
	series_set(metric_series(metric_register(f->l->core.metrics, &age), &view), 60);
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_FAILED);
	features__tell_ages(f->features);
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
}

/* Two threads may commit in one order and publish in the other. */
static void the_later_commit_is_served(void **state)
{
	struct features_fixture *f = features_fixture(state);
	struct feature_view before, after;
	struct online_reader *r;
	int64_t event = time_of("2019-03-05T00:00:00Z");

	load_stats(f);
	struct materialisation m = materialised(f, "stats", 0);
	OK(f->l, features_view(f->features, &f->l->a, STR("stats"), &before, &f->l->e));
	applied(f, view_ttl_yaml);
	OK(f->l, features_view(f->features, &f->l->a, STR("stats"), &after, &f->l->e));
	assert_int_equal(after.revision, before.revision + 1);
	OK(f->l, features__publish(f->features, &before, &m, &f->l->e));
	r = reader_of(f, "stats");
	assert_int_equal(read_one(f, r, STR("a"), event + 3 * MS_DAY).value[1].status, FEATURE_TOO_OLD);
	features_reader_free(&r);
}

/* A set whose join looked ahead: the row nearest in time, before or after. */
static void a_leak_is_seen(void **state)
{
	const struct check_def *d = check_named("features.no_future");
	struct features_fixture *f = features_fixture(state);
	char id[BLOB_ID_LEN + 1];
	struct query *q = NULL;
	uint64_t size;
	str path;

	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_SKIPPED);
	load_stats(f);
	load(f, "labels", labels_csv);
	struct training_set s = set_made(f, set_yaml);
	assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
	const char *const leaks[] = {
		/* honest about its time, and dishonest */
		"SELECT * REPLACE (CASE WHEN y = 3.5 THEN 5 ELSE trips END AS trips,"
		" CASE WHEN y = 3.5 THEN TIMESTAMP '2019-03-05' ELSE stats__event_time END AS stats__event_time) FROM rows",
		"SELECT * REPLACE (CASE WHEN y = 3.5 THEN 5 ELSE trips END AS trips) FROM rows",
	};
	for (size_t i = 0; i < ARRAY_LEN(leaks); i++) {
		struct training_set bad = s;
		OK(f->l, blob_path(f->l->core.blobs, s.blob, &f->l->a, &path, &f->l->e));
		OK(f->l, query_open(f->l->core.query, &q, &f->l->e));
		OK(f->l, query_bind_parquet(q, STR("rows"), path, &f->l->e));
		str out = arena_printf(&f->l->a, "%s/leak.parquet", query_scratch(q));
		OK(f->l, query_to_parquet(q, str_of(leaks[i]), out, NULL, &f->l->e));
		OK(f->l, blob_adopt(f->l->core.blobs, out.at, id, &size, &f->l->e));
		query_close(&q);
		bad.id = id_new(&f->l->a, "ts");
		bad.blob = str_of(id);
		bad.created_ms = clock_ms();
		OK(f->l, features__training_set_put(f->features, &bad, NULL, 0, &principal_system, &f->l->a, &f->l->e));
		assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_FAILED);
		OK(f->l, db_exec1(f->l->core.db, "DELETE FROM training_sets WHERE id = ?", VALS(V_STR(bad.id)), NULL, &f->l->e));
		assert_int_equal(outcome_of(f, d, f->features).outcome, CHECK_PASSED);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, features_set_up, features_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(definitions_are_checked), TEST(applying_again_changes_nothing), TEST(the_newest_row_is_read), TEST(values_grow_too_old),
		TEST(readers_follow_a_changed_view), TEST(the_old_one_is_cleaned), TEST(half_a_materialisation_is_never_read), TEST(one_at_a_time),
		TEST(a_label_sees_what_was_known), TEST(the_ttl_counts_both_ends), TEST(the_future_changes_nothing),
		TEST(the_digest_is_of_the_content), TEST(bad_requests_are_told), TEST(keys_may_have_other_names), TEST(a_skewed_value_is_seen),
		TEST(a_lost_key_is_seen), TEST(a_leak_is_seen), TEST(a_read_that_fails_is_seen), TEST(a_wrong_age_is_seen), TEST(the_later_commit_is_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
