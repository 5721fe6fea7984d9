/* records.c -- what the access module stores and what it says. */
#include "modules/access/access_int.h"

static const struct field config_fields[] = {
	FIELD(access_config, session_ttl_ms, K_MS, 0, "How long a browser stays logged in", .name = "session_ttl", .def = "7d",
	      .min = 60000, .max = 90.0 * 86400000),
	FIELD(access_config, login_link_ttl_ms, K_MS, 0, "How long a login link can be used", .name = "login_link_ttl", .def = "15m",
	      .min = 1000, .max = 86400000),
};
const struct record access_config_record = RECORD(access_config, config_fields, "Who may come in");

static const struct field user_fields[] = {
	FIELD(access_user, id, K_STR, F_STORED | F_KEY, "Id"),
	FIELD(access_user, name, K_STR, F_STORED, "Name"),
	FIELD(access_user, role, K_ENUM, F_STORED, "Role", .names = role_names),
	FIELD(access_user, created_ms, K_TIME, F_STORED, "When it was made", .name = "created_at"),
};
const struct record access_user_row = RECORD(access_user, user_fields, "A person", .table = "access_users");

#define KEY_SAID                                                                                                                    \
	FIELD(access_key, id, K_STR, F_STORED | F_KEY, "Id"),                                                                       \
	FIELD(access_key, name, K_STR, F_STORED, "Name"),                                                                           \
	FIELD(access_key, role, K_ENUM, F_STORED, "Role; a service's rights are its scope", .names = role_names),                   \
	FIELD(access_key, scope, K_STR, F_STORED, "What it is for: \"endpoint.invoke:taxi-fare\""),                                 \
	FIELD(access_key, created_ms, K_TIME, F_STORED, "When it was made", .name = "created_at"),                                  \
	FIELD(access_key, expires_ms, K_TIME, F_STORED | F_NULLABLE, "When it ends", .name = "expires_at"),                         \
	FIELD(access_key, revoked_ms, K_TIME, F_STORED | F_NULLABLE, "When it was revoked", .name = "revoked_at"),                  \
	FIELD(access_key, created_by, K_STR, F_STORED, "Who made it")
static const struct field key_fields[] = { KEY_SAID };
const struct record key_record = RECORD(access_key, key_fields, "A key", .name = "key");

static const struct field key_row_fields[] = {
	KEY_SAID,
	FIELD(access_key, user_id, K_STR, F_STORED, "Whose token it is"),
	FIELD(access_key, holder, K_STR, F_STORED, "Which admin.token it is of"),
	FIELD(access_key, hash, K_STR, F_STORED, "SHA-256 of the token"),
};
const struct record access_key_row = RECORD(access_key, key_row_fields, "A key as stored", .name = "key", .table = "access_keys");

static const struct field session_fields[] = {
	FIELD(access_session, hash, K_STR, F_STORED | F_KEY, "SHA-256 of the cookie"),
	FIELD(access_session, user_id, K_STR, F_STORED, "Who is logged in"),
	FIELD(access_session, created_ms, K_TIME, F_STORED, "Since when", .name = "created_at"),
	FIELD(access_session, expires_ms, K_TIME, F_STORED, "Until when", .name = "expires_at"),
};
const struct record access_session_row = RECORD(access_session, session_fields, "A browser's login", .table = "access_sessions");

static const struct field link_fields[] = {
	FIELD(access_link, hash, K_STR, F_STORED | F_KEY, "SHA-256 of the code"),
	FIELD(access_link, user_id, K_STR, F_STORED, "Who it logs in"),
	FIELD(access_link, created_ms, K_TIME, F_STORED, "When it was made", .name = "created_at"),
	FIELD(access_link, expires_ms, K_TIME, F_STORED, "Until when it can be used", .name = "expires_at"),
};
const struct record access_link_row = RECORD(access_link, link_fields, "A login link", .table = "access_links");

static const struct field key_request_fields[] = {
	FIELD(key_request, name, K_STR, F_REQUIRED, "Name", .format = "name", .max = 128),
	FIELD(key_request, scope, K_STR, 0, "What it may do, space separated: \"endpoint.invoke:taxi-fare lake.read\"", .max = 4096),
	FIELD(key_request, role, K_ENUM, 0, "Instead of a scope: viewer, contributor, operator or admin", .names = role_names),
	FIELD(key_request, expires_in_ms, K_MS, 0, "How long it is valid; for ever when not given", .name = "expires_in",
	      .max = 3650.0 * 86400000),
};
const struct record key_request_record = RECORD(key_request, key_request_fields, "A key to make");

static const struct field key_created_fields[] = {
	FIELD(key_created, id, K_STR, 0, "Id"),
	FIELD(key_created, name, K_STR, 0, "Name"),
	FIELD(key_created, role, K_ENUM, 0, "Role", .names = role_names),
	FIELD(key_created, scope, K_STR, 0, "What it may do"),
	FIELD(key_created, expires_ms, K_TIME, F_NULLABLE, "When it ends", .name = "expires_at"),
	FIELD(key_created, key, K_STR, 0, "The key itself, shown this once"),
};
const struct record key_created_record = RECORD(key_created, key_created_fields, "A key that was made");

static const struct field login_link_fields[] = {
	FIELD(login_link, path, K_STR, 0, "Open this on cairn's address in a browser, once"),
	FIELD(login_link, expires_ms, K_TIME, 0, "Until when it can be used", .name = "expires_at"),
};
const struct record login_link_record = RECORD(login_link, login_link_fields, "A link that logs a browser in, once");

static const struct field whoami_fields[] = {
	FIELD(whoami, id, K_STR, 0, "Id"),
	FIELD(whoami, name, K_STR, 0, "Name"),
	FIELD(whoami, role, K_ENUM, 0, "Role", .names = role_names),
	FIELD(whoami, scope, K_STR, F_SKIP_EMPTY, "What a service may do"),
	FIELD(whoami, via, K_STR, 0, "How it came in: token or session"),
};
const struct record whoami_record = RECORD(whoami, whoami_fields, "Who asks");

static const struct field key_list_fields[] = { FIELD(key_list, keys, K_RECORDS, 0, "Keys, newest first", .sub = &key_record) };
const struct record key_list_record = RECORD(key_list, key_list_fields, "Keys");

static const struct field name_param_fields[] = { FIELD(name_param, id, K_STR, F_REQUIRED, "Id of the key") };
const struct record name_param_record = RECORD(name_param, name_param_fields, "Which key");
