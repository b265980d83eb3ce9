/* The directive `hello TEXT;` makes a location answer with that text. */
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

typedef struct {
    ngx_str_t text;
} hello_conf_t;

static char *hello(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static void *hello_create(ngx_conf_t *cf);

static ngx_command_t commands[] = {
    {ngx_string("hello"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, hello, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(hello_conf_t, text), NULL},
    ngx_null_command};

static ngx_http_module_t context = {NULL, NULL, NULL, NULL, NULL, NULL, hello_create, NULL};

ngx_module_t ngx_http_hello_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING};

static ngx_int_t answer(ngx_http_request_t *r) {
    hello_conf_t *conf = ngx_http_get_module_loc_conf(r, ngx_http_hello_module);
    ngx_http_complex_value_t body;

    ngx_memzero(&body, sizeof(body));
    body.value = conf->text;
    return ngx_http_send_response(r, NGX_HTTP_OK, NULL, &body);
}

static void *hello_create(ngx_conf_t *cf) {
    return ngx_pcalloc(cf->pool, sizeof(hello_conf_t));
}

static char *hello(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
    ngx_http_core_loc_conf_t *location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    location->handler = answer;
    return ngx_conf_set_str_slot(cf, cmd, conf);
}
