#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

/* Of the server that it is built for. */
#define DING "ding of " PG_MAJORVERSION

static bool from_the_start = false;

void _PG_init(void);

void _PG_init(void) {
    from_the_start = process_shared_preload_libraries_in_progress;
}

PG_FUNCTION_INFO_V1(ding);

Datum ding(PG_FUNCTION_ARGS) {
    PG_RETURN_TEXT_P(cstring_to_text(from_the_start ? DING " from the start" : DING));
}
