/* yaml.h -- YAML 1.1/1.2 documents as tokens (libyaml), with line and column.
 *
 * One document; anchors, aliases, tags and merge keys are refused with their place, so that a file means
 * what it shows. Plain scalars arrive as TOK_PLAIN, quoted and block scalars as TOK_STRING.
 */
#ifndef CAIRN_IO_YAML_H
#define CAIRN_IO_YAML_H

#include "base/record.h"

struct yaml_source;     /* freed with the arena */
enum rc yaml_source_new(str text, struct arena *a, const char *name, struct token_source **out, struct err *e) MUST_USE;
enum rc record_from_yaml(const struct record *r, str text, const char *file_name, struct arena *a, unsigned flags,
			 void *obj, struct err *e) MUST_USE;

#endif
