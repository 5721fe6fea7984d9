/* store_tables.c -- tracking's tables.
 *
 * A metric's points name their series by number: a point is five numbers in one tree, which on SQLite is the table itself.
 * Times are Unix ms. */
#include "modules/tracking/store.h"

const struct migration tracking_migrations[TRACKING_MIGRATIONS] = {
	{ 1,
	  "CREATE TABLE experiments (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, artifact_location TEXT NOT NULL,"
	  " deleted BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL);\n"
	  "CREATE TABLE experiment_tags (experiment BIGINT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
	  " PRIMARY KEY (experiment, key)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE runs (id TEXT PRIMARY KEY, experiment BIGINT NOT NULL, name TEXT NOT NULL, user_id TEXT NOT NULL,"
	  " status TEXT NOT NULL, started BIGINT NOT NULL, ended BIGINT, artifact_uri TEXT NOT NULL, deleted BIGINT NOT NULL);\n"
	  "CREATE INDEX runs_newest ON runs (experiment, started DESC, id);\n"
	  "CREATE TABLE run_params (run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE run_tags (run TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE run_metrics (run TEXT NOT NULL, key TEXT NOT NULL, series BIGINT NOT NULL, at BIGINT NOT NULL,"
	  " step BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL, PRIMARY KEY (run, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE UNIQUE INDEX run_metrics_series ON run_metrics (series);\n"
	  "CREATE TABLE metric_points (series BIGINT NOT NULL, at BIGINT NOT NULL, step BIGINT NOT NULL,"
	  " value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL, PRIMARY KEY (series, at, step, value, is_nan))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE input_datasets (id TEXT PRIMARY KEY, experiment BIGINT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL,"
	  " source_type TEXT NOT NULL, source TEXT NOT NULL, schema_text TEXT NOT NULL, profile TEXT NOT NULL,"
	  " UNIQUE (experiment, name, digest));\n"
	  "CREATE TABLE run_inputs (run TEXT NOT NULL, dataset TEXT NOT NULL, context TEXT NOT NULL, tags TEXT NOT NULL,"
	  " PRIMARY KEY (run, dataset)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE run_models (run TEXT NOT NULL, made BIGINT NOT NULL, model TEXT NOT NULL, step BIGINT NOT NULL,"
	  " PRIMARY KEY (run, made, model, step)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE logged_models (id TEXT PRIMARY KEY, experiment BIGINT NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL,"
	  " updated BIGINT NOT NULL, artifact_uri TEXT NOT NULL, status BIGINT NOT NULL, model_type TEXT NOT NULL,"
	  " source_run TEXT NOT NULL, deleted BIGINT NOT NULL);\n"
	  "CREATE INDEX logged_models_newest ON logged_models (experiment, created DESC, id);\n"
	  "CREATE TABLE logged_model_params (model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE logged_model_tags (model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key))"
	  " /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE logged_model_metrics (model TEXT NOT NULL, key TEXT NOT NULL, at BIGINT NOT NULL, step BIGINT NOT NULL,"
	  " run TEXT NOT NULL, value DOUBLE PRECISION NOT NULL, is_nan BIGINT NOT NULL, dataset_name TEXT NOT NULL,"
	  " dataset_digest TEXT NOT NULL, PRIMARY KEY (model, key, at, step, run)) /*sqlite: WITHOUT ROWID */;\n"
	  "CREATE TABLE artifacts (dir TEXT NOT NULL, name TEXT NOT NULL, is_dir BIGINT NOT NULL, blob TEXT NOT NULL,"
	  " size BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (dir, name)) /*sqlite: WITHOUT ROWID */" },
};
