/* limits.h -- every ceiling in one place, with its reason. */
#ifndef CAIRN_BASE_LIMITS_H
#define CAIRN_BASE_LIMITS_H

#define LIMIT_TEXT 65536                       /* a text field without a max of its own */
#define LIMIT_LIST 100000                      /* elements of a list field without a max of its own */
#define LIMIT_JSON_BODY (64u << 20)            /* MLflow batches and tensors as JSON; larger ones use binary */
#define LIMIT_ARTIFACT_BODY (UINT64_C(16) << 30) /* streamed to disk, never held in memory */
#define LIMIT_REPLY (256u << 20)               /* a reply that is built in memory */
#define LIMIT_QUERY_STRING 12288               /* below what the headers may take in all */
#define LIMIT_ROWS 100000                      /* rows that one metadata query may return */

#endif
