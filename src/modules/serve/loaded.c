/* loaded.c -- the models that are loaded: found or loaded once, counted, let go.
 *
 * A model is loaded by whoever asks first; others who ask meanwhile wait for the same one. It stays as long as somebody
 * holds it: the last release unloads it and gives its memory back to the machine. Loading runs outside the mutex, so a
 * slow model holds nobody up but those who want it. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "modules/serve/serve_int.h"

#define INPUT_ELEMENTS_MAX (1 << 26)     /* of one row, or where all sizes are fixed */

/* --- copies ------------------------------------------------------------------------------------ */

static void version_copy(struct arena *a, const struct model_version *v, struct model_version *out)
{
	*out = *v;
	str *text[] = { &out->name, &out->run_id, &out->source, &out->description, &out->stage };
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		*text[i] = arena_dup(a, *text[i]);
	struct pair *tag = ARENA_ARRAY(a, struct pair, v->tags.n);
	for (size_t i = 0; i < v->tags.n; i++) {
		const struct pair *from = LIST_AT(v->tags, struct pair, i);
		tag[i] = (struct pair){ arena_dup(a, from->key), arena_dup(a, from->value) };
	}
	str *alias = ARENA_ARRAY(a, str, v->aliases.n);
	for (size_t i = 0; i < v->aliases.n; i++)
		alias[i] = arena_dup(a, *LIST_AT(v->aliases, str, i));
	out->tags.at = tag;
	out->aliases.at = alias;
}

/* --- life -------------------------------------------------------------------------------------- */

static struct served_model *model_new(struct serve *s, const struct model_version *v)
{
	struct served_model *m = calloc(1, sizeof(*m));

	CHECK(m != NULL);
	m->magic = SERVED_MAGIC;
	m->serve = s;
	atomic_init(&m->refs, 1);
	m->state = SERVED_LOADING;
	arena_init(&m->arena);
	version_copy(&m->arena, v, &m->version);
	return m;
}

static void model_free(struct served_model *m)
{
	bool was_loaded = m->loaded != NULL;

	CHECK(atomic_load(&m->refs) == 0);
	if (was_loaded) {
		LOG(INFO, "model.unloaded", KV_STR("model", m->version.name), KV_I64("version", m->version.version));
		m->loaded->ops->unload(&m->loaded);
	}
	arena_deinit(&m->arena);
	m->magic = 0;
	free(m);
	if (was_loaded)
		(void)malloc_trim(0);   /* says only whether there was something to return */
}

static void unlink_model(struct serve *s, struct served_model *m)
{
	struct served_model **at = &s->first;

	while (*at != NULL && *at != m)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = m->next;
	s->n_loaded--;
}

void serve_ref(struct served_model *m)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	CHECK(atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed) > 0);
}

/* The count goes to 0 only under the mutex, so whoever finds a model in the list finds it alive. */
void serve_release(struct served_model **slot)
{
	struct served_model *m = *slot;

	*slot = NULL;
	if (m == NULL)
		return;
	OBJ_CHECK(m, SERVED_MAGIC);
	uint32_t refs = atomic_load_explicit(&m->refs, memory_order_relaxed);
	while (refs > 1)
		if (atomic_compare_exchange_weak_explicit(&m->refs, &refs, refs - 1, memory_order_acq_rel, memory_order_relaxed))
			return;
	struct serve *s = m->serve;
	pthread_mutex_lock(&s->mtx);
	bool last = atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1;
	if (last)
		unlink_model(s, m);
	pthread_mutex_unlock(&s->mtx);
	if (last)
		model_free(m);
}

/* --- loading ----------------------------------------------------------------------------------- */

static enum rc infer_checked(struct served_model *m, const struct tensor *in, struct arena *a, struct tensor *out, struct err *e)
{
	return m->loaded->ops->infer(m->loaded, in, a, out, e);
}

/* A model whose sizes we had to guess may refuse the guess; one that told them must answer. */
static bool sizes_guessed(const struct loaded *l)
{
	for (size_t i = 0; i < l->n_in; i++)
		for (size_t k = 1; k < l->in[i].n_dim; k++)
			if (l->in[i].dim[k] < 0)
				return true;
	return false;
}

/* What a file says of its tensors is not to be believed before it is known that there is room for them. */
static enum rc check_sizes(const struct loaded *l, struct err *e)
{
	if (l->n_out > SERVED_OUTPUTS_MAX)
		return FAIL(e, RC_INVALID, "the model has %zu outputs; at most %d are served", l->n_out, SERVED_OUTPUTS_MAX);
	for (size_t i = 0; i < l->n_in; i++) {
		size_t n = 1;
		for (size_t k = 0; k < l->in[i].n_dim; k++)
			if (__builtin_mul_overflow(n, (size_t)(l->in[i].dim[k] < 0 ? 1 : l->in[i].dim[k]), &n) || n > INPUT_ELEMENTS_MAX)
				return FAIL(e, RC_INVALID, "input '" STR_FMT "' of the model has more than %d elements",
					    STR_ARG(str_head(l->in[i].name, 200)), INPUT_ELEMENTS_MAX);
	}
	return RC_OK;
}

static enum rc warm_up(struct served_model *m, struct err *e)
{
	const struct loaded *l = m->loaded;
	struct arena scratch;
	enum rc rc = RC_OK;

	m->warm_in = ARENA_ARRAY(&m->arena, struct tensor, l->n_in);
	m->warm_out = ARENA_ARRAY(&m->arena, struct tensor, l->n_out);
	for (size_t i = 0; i < l->n_in; i++)
		m->warm_in[i] = tensor_zero(&m->arena, &l->in[i]);
	arena_init(&scratch);
	struct tensor *out = ARENA_ARRAY(&scratch, struct tensor, l->n_out);
	for (size_t i = 0; i < 3 && rc == RC_OK; i++)   /* the first ones size buffers and fill caches */
		rc = infer_checked(m, m->warm_in, &scratch, out, e);
	arena_deinit(&scratch);
	if (rc == RC_OK)
		rc = infer_checked(m, m->warm_in, &m->arena, m->warm_out, e);
	m->warm = rc == RC_OK;
	if (rc == RC_OK || !sizes_guessed(l))
		return rc == RC_OK ? rc : err_wrap(e, "warming up with zeros");
	LOG(INFO, "model.not_warmed", KV_STR("model", m->version.name), KV_ERR(e));
	return RC_OK;
}

static void series_find(struct served_model *m)
{
	struct serve *s = m->serve;
	const str label[] = { m->version.name, arena_printf(&m->arena, "%lld", (long long)m->version.version),
			      str_of(m->loaded->ops->name) };

	m->latency = metric_series(s->infer_seconds, label);
	m->errors = metric_series(s->infer_errors, label);
	series_observe(metric_series(s->load_seconds, label), m->load_ns);
}

static enum rc load(struct served_model *m, struct err *e)
{
	struct package p;
	uint64_t from = clock_ns();

	TRY(m->serve->package_open(m->serve, &m->version, &m->arena, &p, e));
	m->spec = p.spec;
	m->has_spec = p.has_spec;
	m->bytes = p.bytes;
	enum rc rc = p.ops->load(&p.source, &m->loaded, e);
	serve__package_close(&p);
	if (rc == RC_OK)
		rc = check_sizes(m->loaded, e);
	if (rc == RC_OK)
		rc = warm_up(m, e);
	if (rc != RC_OK)
		return err_wrap(e, "model '" STR_FMT "' version %lld", STR_ARG(m->version.name), (long long)m->version.version);
	m->load_ns = clock_ns() - from;
	m->loaded_ms = clock_ms();
	series_find(m);
	LOG(INFO, "model.loaded", KV_STR("model", m->version.name), KV_I64("version", m->version.version),
	    KV_STR("runtime", str_of(m->loaded->ops->name)), KV_F64("seconds", (double)m->load_ns / 1e9), KV_I64("bytes", m->bytes));
	return RC_OK;
}

/* --- acquiring --------------------------------------------------------------------------------- */

/* A model that was deleted and made again has the same name and number, but is another. */
static bool same_version(const struct model_version *a, const struct model_version *b)
{
	return a->version == b->version && a->created_ms == b->created_ms && str_eq(a->name, b->name) && str_eq(a->source, b->source);
}

/* Under the mutex. */
static struct served_model *find(const struct serve *s, const struct model_version *v)
{
	struct served_model *m = s->first;

	while (m != NULL && !same_version(&m->version, v))
		m = m->next;
	return m;
}

/* Under the mutex: the model as it ended up, and whose reference the caller holds. */
static void await(struct served_model *m)
{
	while (m->state == SERVED_LOADING)
		CHECK(pthread_cond_wait(&m->serve->changed, &m->serve->mtx) == 0);
}

static void load_and_tell(struct served_model *m)
{
	struct serve *s = m->serve;
	struct err e = ERR_INIT;
	enum rc rc = load(m, &e);

	pthread_mutex_lock(&s->mtx);
	m->state = rc == RC_OK ? SERVED_READY : SERVED_FAILED;
	if (rc != RC_OK) {
		m->err = e;
		unlink_model(s, m);     /* the next one to ask tries again */
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->mtx);
}

enum rc serve_acquire(struct serve *s, const struct model_version *v, struct served_model **out, struct err *e)
{
	OBJ_CHECK(s, SERVE_MAGIC);
	pthread_mutex_lock(&s->mtx);
	struct served_model *m = find(s, v);
	bool mine = m == NULL;
	if (mine) {
		m = model_new(s, v);
		m->next = s->first;
		s->first = m;
		s->n_loaded++;
	} else {
		serve_ref(m);
		await(m);
	}
	pthread_mutex_unlock(&s->mtx);
	if (mine)
		load_and_tell(m);
	if (m->state == SERVED_READY) {         /* it does not change any more */
		*out = m;
		return RC_OK;
	}
	*e = m->err;
	serve_release(&m);
	return e->rc;
}

void serve__list(struct serve *s, struct arena *a, struct served_list *out)
{
	OBJ_CHECK(s, SERVE_MAGIC);
	pthread_mutex_lock(&s->mtx);
	size_t room = s->n_loaded;
	pthread_mutex_unlock(&s->mtx);
	*out = (struct served_list){ .at = ARENA_ARRAY(a, struct served_model *, room) };
	pthread_mutex_lock(&s->mtx);
	for (struct served_model *m = s->first; m != NULL && out->n < room; m = m->next) {
		if (m->state != SERVED_READY)
			continue;
		serve_ref(m);
		out->at[out->n++] = m;
	}
	pthread_mutex_unlock(&s->mtx);
}

void serve__list_release(struct served_list *l)
{
	while (l->n > 0)
		serve_release(&l->at[--l->n]);
}

/* --- what a loaded model is asked ---------------------------------------------------------------- */

const struct model_version *served_version(const struct served_model *m)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	return &m->version;
}

const struct model_spec *served_spec(const struct served_model *m)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	return m->has_spec ? &m->spec : NULL;
}

str served_runtime(const struct served_model *m)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	return str_of(m->loaded->ops->name);
}

str served_platform(const struct served_model *m)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	return str_of(m->loaded->ops->platform);
}

void served_io(const struct served_model *m, const struct tensor_spec **in, size_t *n_in, const struct tensor_spec **out, size_t *n_out)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	*in = m->loaded->in;
	*n_in = m->loaded->n_in;
	*out = m->loaded->out;
	*n_out = m->loaded->n_out;
}

enum rc served_infer(struct served_model *m, const struct tensor *in, size_t n_in, struct arena *a, struct tensor *out, size_t *n_out,
		     struct err *e)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	const struct loaded *l = m->loaded;
	CHECK(*n_out >= l->n_out);
	struct tensor *checked = ARENA_ARRAY(a, struct tensor, l->n_in);
	TRY(tensors_match(l->in, l->n_in, in, n_in, checked, e));
	uint64_t from = clock_ns();
	enum rc rc = infer_checked(m, checked, a, out, e);
	if (rc != RC_OK) {
		series_add(m->errors, 1);
		return rc;
	}
	series_observe(m->latency, clock_ns() - from);
	*n_out = l->n_out;
	return RC_OK;
}

enum rc serve__warm_again(struct served_model *m, struct arena *a, bool *same, struct err *e)
{
	OBJ_CHECK(m, SERVED_MAGIC);
	CHECK(m->warm);
	const struct loaded *l = m->loaded;
	struct tensor *out = ARENA_ARRAY(a, struct tensor, l->n_out);
	TRY(infer_checked(m, m->warm_in, a, out, e));
	*same = true;
	for (size_t i = 0; i < l->n_out; i++)
		*same = *same && tensor_equal(&out[i], &m->warm_out[i]);
	return RC_OK;
}
