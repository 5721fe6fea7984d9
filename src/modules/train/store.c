/* store.c -- rows of searches, and of runs in the making. */
#include "modules/train/train_int.h"

#include "base/clock.h"
#include "core/event.h"
#include "core/store.h"

const struct migration train_migrations[] = {
	{ 1,
	  "CREATE TABLE train_searches (id TEXT PRIMARY KEY, name TEXT NOT NULL, experiment_id TEXT NOT NULL,"
	  " parent_run_id TEXT NOT NULL, training_set TEXT NOT NULL, best_run_id TEXT NOT NULL, metric TEXT NOT NULL,"
	  " value DOUBLE PRECISION, baseline DOUBLE PRECISION, output TEXT NOT NULL, n_trials BIGINT NOT NULL,"
	  " n_finished BIGINT NOT NULL, n_pruned BIGINT NOT NULL, n_failed BIGINT NOT NULL, n_train BIGINT NOT NULL,"
	  " n_valid BIGINT NOT NULL, took BIGINT NOT NULL, created_at BIGINT NOT NULL, request TEXT NOT NULL, trials TEXT NOT NULL);\n"
	  "CREATE TABLE train_open_runs (run_id TEXT PRIMARY KEY, started_at BIGINT NOT NULL)" },
};
const size_t n_train_migrations = ARRAY_LEN(train_migrations);

struct saving { const struct search *search; const struct principal *who; };

static enum rc save(struct tx *tx, void *ctx, struct err *e)
{
	const struct saving *s = ctx;
	char object[ID_TEXT_MAX + 16];
	struct buf b = BUF_INIT(sizeof(object));

	TRY(store_put(tx, &search_record, s->search, e));
	buf_addf(&b, "search:" STR_FMT, STR_ARG(s->search->id));
	enum rc rc = event_audit(tx, s->who, "train.search", buf_str(&b), STR_NONE, e);
	buf_deinit(&b);
	return rc;
}

enum rc train__search_save(struct train *t, const struct search *s, const struct principal *who, struct err *e)
{
	struct saving saving = { s, who };

	return db_write(t->core->db, save, &saving, e);
}

enum rc train__search_list(struct train *t, struct arena *a, int64_t limit, struct list *out, struct err *e)
{
	return store_list1(t->core->db, a, &search_record, "ORDER BY id DESC LIMIT ?", VALS(V_I64(limit)), out, e);
}

enum rc train__search_get(struct train *t, struct arena *a, str id, struct search *out, struct err *e)
{
	return store_get1(t->core->db, a, &search_record, "WHERE id = ?", VALS(V_STR(id)),
			  arena_printf(a, "search '" STR_FMT "'", STR_ARG(id)), out, e);
}

enum rc train__open_run_add(struct train *t, str run_id, struct err *e)
{
	return db_exec1(t->core->db, "INSERT INTO train_open_runs (run_id, started_at) VALUES (?, ?)",
			VALS(V_STR(run_id), V_I64(clock_ms())), NULL, e);
}

enum rc train__open_run_end(struct train *t, str run_id, struct err *e)
{
	return db_exec1(t->core->db, "DELETE FROM train_open_runs WHERE run_id = ?", VALS(V_STR(run_id)), NULL, e);
}

enum rc train__open_runs(struct train *t, struct arena *a, struct list *out, struct err *e)
{
	VEC(str) runs = { 0 };
	struct rows r;

	TRY(db_query1(t->core->db, a, "SELECT run_id FROM train_open_runs ORDER BY run_id", NO_VALS, &r, e));
	for (size_t i = 0; i < r.n; i++)
		*VEC_PUSH(a, &runs) = rows_at(&r, i, 0)->s;
	*out = LIST_OF(runs);
	return RC_OK;
}

struct linking { str set, set_name, run, run_name; };

static enum rc link_run(struct tx *tx, void *ctx, struct err *e)
{
	const struct linking *l = ctx;

	TRY(lineage_node_put(tx, LIN_TRAINSET, l->set, l->set_name, STR_NONE, e));
	TRY(lineage_node_put(tx, LIN_RUN, l->run, l->run_name, STR_NONE, e));
	return lineage_link(tx, LIN_TRAINSET, l->set, LIN_RUN, l->run, "trained on", e);
}

enum rc train__link(struct train *t, str set, str set_name, str run, str run_name, struct err *e)
{
	struct linking l = { set, set_name, run, run_name };

	return db_write(t->core->db, link_run, &l, e);
}
