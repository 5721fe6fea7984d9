/* store.h -- rows in, rows out, by record tables: the SQL that every module would otherwise repeat.
 *
 * Works on records with a .table; columns are the F_STORED fields by name. Nested records, lists, pairs
 * and JSON are JSON in TEXT; booleans and enums are BIGINT; F_NULLABLE zero or absent values are NULL.
 * `tail` is SQL behind "SELECT columns FROM table ", written by us, with `?` placeholders.
 */
#ifndef CAIRN_CORE_STORE_H
#define CAIRN_CORE_STORE_H

#include "base/record.h"
#include "io/db.h"

enum rc store_insert(struct tx *tx, const struct record *r, const void *obj, struct err *e) MUST_USE;   /* RC_CONFLICT when the key exists */
enum rc store_put(struct tx *tx, const struct record *r, const void *obj, struct err *e) MUST_USE;      /* insert or replace all non-key columns */
enum rc store_update(struct tx *tx, const struct record *r, const void *obj, struct err *e) MUST_USE;   /* by key; RC_NOT_FOUND */
enum rc store_delete(struct tx *tx, const struct record *r, const void *obj, struct err *e) MUST_USE;   /* by key; RC_NOT_FOUND */
/* The first row that matches; *found tells. */
enum rc store_find(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		   void *obj_out, bool *found, struct err *e) MUST_USE;
/* As store_find, but absence is RC_NOT_FOUND "dataset 'x' does not exist". `named` is what to call it. */
enum rc store_get(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		  str named, void *obj_out, struct err *e) MUST_USE;
/* All rows as an array of structs. */
enum rc store_list(struct tx *tx, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		   struct list *out, struct err *e) MUST_USE;
/* Outside a transaction of one's own: one statement on a reader or through the committer. */
enum rc store_get1(struct db *db, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		   str named, void *obj_out, struct err *e) MUST_USE;
enum rc store_list1(struct db *db, struct arena *a, const struct record *r, const char *tail, const struct val *v, size_t n,
		    struct list *out, struct err *e) MUST_USE;
enum rc store_insert1(struct db *db, const struct record *r, const void *obj, struct err *e) MUST_USE;
enum rc store_put1(struct db *db, const struct record *r, const void *obj, struct err *e) MUST_USE;
/* Every F_STORED field has its column: run at start for each module's .stored. */
enum rc store_verify(struct db *db, const struct record *r, struct err *e) MUST_USE;

#endif
