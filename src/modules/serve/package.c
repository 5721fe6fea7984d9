/* package.c -- the files of a model version, found, mapped and verified.
 *
 * cairn's trainers write cairn.json beside the model; for what others logged, MLmodel names the flavors, of which we take
 * the first that a runtime has. Paths in either are relative to the folder it stands in. */
#include <string.h>
#include <unistd.h>

#include "io/blob.h"
#include "io/crypto.h"
#include "io/yaml.h"
#include "modules/serve/serve_int.h"
#include "modules/tracking/tracking.h"

#define MLMODEL_MAX (1u << 20)

/* --- MLmodel ----------------------------------------------------------------------------------- */

struct flavor_text { str data; };
static const struct field flavor_text_fields[] = { FIELD(flavor_text, data, K_STR, 0, "Path of the model") };
static const struct record flavor_text_record = RECORD(flavor_text, flavor_text_fields, "A flavor", .open = true);

struct flavors_text { struct flavor_text xgboost, onnx; };
static const struct field flavors_text_fields[] = {
	FIELD(flavors_text, xgboost, K_RECORD, 0, "XGBoost", .sub = &flavor_text_record),
	FIELD(flavors_text, onnx, K_RECORD, 0, "ONNX", .sub = &flavor_text_record),
};
static const struct record flavors_text_record = RECORD(flavors_text, flavors_text_fields, "Flavors", .open = true);

struct signature_text { str inputs, outputs; };
static const struct field signature_text_fields[] = {
	FIELD(signature_text, inputs, K_STR, 0, "JSON"),
	FIELD(signature_text, outputs, K_STR, 0, "JSON"),
};
static const struct record signature_text_record = RECORD(signature_text, signature_text_fields, "A signature", .open = true);

struct mlmodel_text { struct flavors_text flavors; struct signature_text signature; };
static const struct field mlmodel_text_fields[] = {
	FIELD(mlmodel_text, flavors, K_RECORD, 0, "Flavors", .sub = &flavors_text_record),
	FIELD(mlmodel_text, signature, K_RECORD, 0, "Signature", .sub = &signature_text_record),
};
static const struct record mlmodel_text_record = RECORD(mlmodel_text, mlmodel_text_fields, "An MLmodel file", .open = true);

/* --- files ------------------------------------------------------------------------------------- */

static const struct artifact *file_named(const struct list *files, str path)
{
	for (size_t i = 0; i < files->n; i++)
		if (str_eq(LIST_AT(*files, struct artifact, i)->path, path))
			return LIST_AT(*files, struct artifact, i);
	return NULL;
}

/* The file of that name that stands highest, and the folder it is in ("" or "model/"). */
static const struct artifact *file_highest(const struct list *files, str name, str *folder)
{
	const struct artifact *best = NULL;

	for (size_t i = 0; i < files->n; i++) {
		const struct artifact *f = LIST_AT(*files, struct artifact, i);
		size_t head = f->path.len - name.len;
		if (!str_ends(f->path, name) || (head > 0 && f->path.at[head - 1] != '/'))
			continue;
		if (best == NULL || f->path.len < best->path.len) {
			best = f;
			*folder = str_head(f->path, head);
		}
	}
	return best;
}

static enum rc map_verified(struct blobs *b, const struct artifact *f, struct filemap *out, struct err *e)
{
	char digest[SHA256_HEX + 1];
	uint64_t size;
	int fd;

	TRY(blob_open(b, f->blob, &fd, &size, e));
	enum rc rc = filemap_open(fd, size, out, e);
	close(fd);
	TRY(rc);
	sha256_hex(out->data, digest);
	if (str_eq(str_of(digest), f->blob))
		return RC_OK;
	filemap_close(out);
	return FAIL(e, RC_IO, "file '" STR_FMT "' has changed since it was stored: its SHA-256 is %s, not " STR_FMT, STR_ARG(f->path), digest,
		    STR_ARG(f->blob));
}

/* Weights may stand beside an ONNX file under any name; these are none. */
static bool is_description(str name)
{
	static const char *const end[] = { "MLmodel", ".json", ".yaml", ".yml", ".txt", ".md", ".py", ".onnx" };

	for (size_t i = 0; i < ARRAY_LEN(end); i++)
		if (str_ends(name, str_of(end[i])))
			return true;
	return false;
}

static enum rc map_all(struct serve *s, const struct list *files, str folder, str main_file, struct arena *a, struct package *p,
		       struct err *e)
{
	str path = arena_printf(a, STR_FMT STR_FMT, STR_ARG(folder), STR_ARG(main_file));
	const struct artifact *main = file_named(files, path);

	if (main == NULL)
		return FAIL(e, RC_INVALID, "the version has no file '" STR_FMT "', which its description names as the model", STR_ARG(path));
	p->file = ARENA_ARRAY(a, struct mapped_file, files->n);
	struct model_file *other = ARENA_ARRAY(a, struct model_file, files->n);
	TRY(map_verified(s->core->blobs, main, &p->file[0].map, e));
	p->n_file = 1;
	p->bytes = main->size;
	p->source.main = (struct model_file){ main_file, p->file[0].map.data };
	for (size_t i = 0; i < files->n && p->ops == &onnx_runtime; i++) {
		const struct artifact *f = LIST_AT(*files, struct artifact, i);
		str name = str_skip(f->path, folder.len);
		if (!str_starts(f->path, folder) || f == main || is_description(name) || f->size == 0)
			continue;
		TRY(map_verified(s->core->blobs, f, &p->file[p->n_file].map, e));
		other[p->source.n_other++] = (struct model_file){ name, p->file[p->n_file++].map.data };
		p->bytes += f->size;
	}
	p->source.other = other;
	return RC_OK;
}

void serve__package_close(struct package *p)
{
	for (size_t i = 0; i < p->n_file; i++)
		filemap_close(&p->file[i].map);
	p->n_file = 0;
}

/* --- what it is -------------------------------------------------------------------------------- */

static enum rc read_mlmodel(struct serve *s, const struct artifact *f, struct arena *a, struct package *p, str *main_file, struct err *e)
{
	struct mlmodel_text m;
	str text;

	TRY(blob_get(s->core->blobs, f->blob, MLMODEL_MAX, a, &text, e));
	TRY(record_from_yaml(&mlmodel_text_record, text, "MLmodel", a, 0, &m, e));
	const struct { const struct runtime_ops *ops; str data; } flavor[] = {
		{ &xgboost_runtime, m.flavors.xgboost.data }, { &onnx_runtime, m.flavors.onnx.data },
	};
	p->signature = m.signature.inputs;
	for (size_t i = 0; i < ARRAY_LEN(flavor); i++) {
		if (flavor[i].data.len == 0)
			continue;
		p->ops = serve__runtime(s, str_of(flavor[i].ops->name));
		*main_file = flavor[i].data;
		return RC_OK;
	}
	return FAIL(e, RC_INVALID, "its MLmodel has no flavor that cairn can run; log it with the xgboost or onnx flavor");
}

static enum rc read_spec(struct serve *s, const struct list *files, str folder, struct arena *a, struct package *p, struct err *e)
{
	p->ops = serve__runtime(s, p->spec.runtime);
	if (p->ops == NULL)
		return FAIL(e, RC_INVALID, "its cairn.json names runtime '" STR_FMT "'; there are xgboost and onnx", STR_ARG(p->spec.runtime));
	if (p->spec.reference.len == 0)
		return RC_OK;
	const struct artifact *f = file_named(files, arena_printf(a, STR_FMT STR_FMT, STR_ARG(folder), STR_ARG(p->spec.reference)));
	if (f != NULL) {
		p->reference_blob = f->blob;
		p->reference_size = f->size;
	}
	return RC_OK;
}

static enum rc package_fill(struct serve *s, const struct model_version *v, struct arena *a, struct package *p, struct err *e)
{
	struct registry *r = registry_of(s->core);
	struct list files;
	str folder = STR(""), main_file;

	TRY(registry_files(r, a, v, &files, e));
	enum rc rc = registry_spec(r, a, v, &p->spec, e);
	p->has_spec = rc == RC_OK;
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	if (p->has_spec) {
		(void)file_highest(&files, STR("cairn.json"), &folder);
		TRY(read_spec(s, &files, folder, a, p, e));
		main_file = p->spec.file;
	} else {
		const struct artifact *f = file_highest(&files, STR("MLmodel"), &folder);
		if (f == NULL)
			return FAIL(e, RC_INVALID, "it has %zu files, but neither cairn.json nor MLmodel, which would say what it is", files.n);
		TRY(read_mlmodel(s, f, a, p, &main_file, e));
	}
	p->source.spec = p->has_spec ? &p->spec : NULL;
	p->source.threads = (uint32_t)s->config.threads;
	return map_all(s, &files, folder, main_file, a, p, e);
}

enum rc serve__package_open(struct serve *s, const struct model_version *v, struct arena *a, struct package *out, struct err *e)
{
	*out = (struct package){ 0 };
	if (package_fill(s, v, a, out, e) == RC_OK)
		return RC_OK;
	serve__package_close(out);
	return err_wrap(e, "model '" STR_FMT "' version %lld", STR_ARG(v->name), (long long)v->version);
}
