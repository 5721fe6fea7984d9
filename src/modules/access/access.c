/* access.c -- who may come in: the module's table and life. */
#include "modules/access/access_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "core/task.h"

static const char *const refusal_names[REFUSALS] = {
	[REFUSED_NO_TOKEN] = "no_token", [REFUSED_MALFORMED] = "malformed", [REFUSED_UNKNOWN] = "unknown",
	[REFUSED_EXPIRED] = "expired", [REFUSED_CROSS_SITE] = "cross_site",
};

static void access_close(void **slot)
{
	struct access *x = *slot;

	*slot = NULL;
	OBJ_CHECK(x, ACCESS_MAGIC);
	if (x->core->auth == &x->authenticator)
		x->core->auth = NULL;
	access__snapshot_free(x);
	pthread_mutex_destroy(&x->publishing);
	x->magic = 0;
	free(x);
}

static enum rc access_open(struct core *c, const void *config, void **self_out, struct err *e)
{
	static const struct metric_def refused = { "cairn_auth_refused_total", METRIC_COUNTER, "Requests that were not let in",
						   { "reason" } };
	struct access *x = calloc(1, sizeof(*x));

	CHECK(x != NULL);
	x->magic = ACCESS_MAGIC;
	x->core = c;
	x->config = config;
	pthread_mutex_init(&x->publishing, NULL);
	struct metric_family *f = metric_register(c->metrics, &refused);
	for (int i = 0; i < REFUSALS; i++)
		x->refused[i] = metric_series(f, (const str[]){ str_of(refusal_names[i]) });
	if (access__admin_token(x, e) != RC_OK || access__reload(x, e) != RC_OK) {
		void *self = x;
		access_close(&self);
		return e->rc;
	}
	x->authenticator = (struct authenticator){ .authenticate = access__authenticate, .self = x };
	c->auth = &x->authenticator;
	*self_out = x;
	return RC_OK;
}

/* --- timers ------------------------------------------------------------------------------------------------- */

/* Keys made or revoked by other processes over the same database. */
static enum rc follow(void *module, struct err *e)
{
	struct access *x = module;
	struct arena a;
	int64_t version;

	if (db_kind(x->core->db) == DB_SQLITE)
		return RC_OK;   /* one process owns it */
	arena_init(&a);
	enum rc rc = access__version(x->core->db, &a, &version, e);
	arena_deinit(&a);
	return rc == RC_OK && version != access__snapshot_version(x) ? access__reload(x, e) : rc;
}

static enum rc sweep_now(struct tx *tx, void *ctx, struct err *e)
{
	(void)ctx;
	return access__sweep(tx, clock_ms(), e);
}

static enum rc sweep(void *module, struct err *e)
{
	struct access *x = module;

	return db_write(x->core->db, sweep_now, NULL, e);
}

static const struct timer_def timers[] = {
	{ .name = "access.follow", .every_ms = 2000, .run = follow },
	{ .name = "access.sweep", .every_ms = 10 * MS_MINUTE, .leased = true, .run = sweep },
};

static const struct record *const stored[] = { &access_user_row, &access_key_row, &access_session_row, &access_link_row };

const struct module access_module = {
	.name = "access", .doc = "Users, tokens, keys and logins", .config = &access_config_record,
	.migration = access_migrations, .n_migration = ARRAY_LEN(access_migrations),
	.stored = stored, .n_stored = ARRAY_LEN(stored),
	.api = access_api, .n_api = ARRAY_LEN(access_api), .timer = timers, .n_timer = ARRAY_LEN(timers),
	.check = access_checks, .n_check = ARRAY_LEN(access_checks),
	.open = access_open, .close = access_close,
};
