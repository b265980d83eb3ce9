package cors

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const config = `cors https://app.example.com https://shop.example.com:8443 {
	methods GET PUT
	headers Content-Type X-Token
	expose X-Total
	credentials
	max_age 10m
}`

func parse(t *testing.T, text string) *CORS {
	t.Helper()
	c := new(CORS)
	if err := c.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// serve sends a request through the middleware to a backend that sets a CORS header of its own.
func serve(t *testing.T, c *CORS, method string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	backend := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Access-Control-Allow-Origin", "https://backend.example.com")
		_, err := io.Copy(w, strings.NewReader("hello"))
		return err
	})
	if err := c.ServeHTTP(recorder, r, backend); err != nil {
		t.Fatal(err)
	}
	return recorder.Result()
}

func want(t *testing.T, response *http.Response, name, value string) {
	t.Helper()
	if got := strings.Join(response.Header.Values(name), "|"); got != value {
		t.Errorf("%s: %q, want %q", name, got, value)
	}
}

func TestResponseToAnAllowedOriginMayBeRead(t *testing.T) {
	response := serve(t, parse(t, config), "GET", map[string]string{"Origin": "https://shop.example.com:8443"})
	want(t, response, "Access-Control-Allow-Origin", "https://shop.example.com:8443")
	want(t, response, "Access-Control-Allow-Credentials", "true")
	want(t, response, "Access-Control-Expose-Headers", "X-Total")
	want(t, response, "Vary", "Origin")
	if body, _ := io.ReadAll(response.Body); string(body) != "hello" {
		t.Errorf("body: %q", body)
	}
}

func TestResponseToAnotherOriginMayNotBeRead(t *testing.T) {
	for _, origin := range []string{"", "null", "https://app.example.com.evil.org", "http://app.example.com"} {
		response := serve(t, parse(t, config), "GET", map[string]string{"Origin": origin})
		want(t, response, "Access-Control-Allow-Origin", "")
		want(t, response, "Vary", "Origin")
	}
}

func TestPreflightIsAnsweredWithoutTheBackend(t *testing.T) {
	response := serve(t, parse(t, config), "OPTIONS", map[string]string{
		"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT",
	})
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", response.StatusCode)
	}
	want(t, response, "Access-Control-Allow-Methods", "GET, PUT")
	want(t, response, "Access-Control-Allow-Headers", "Content-Type, X-Token")
	want(t, response, "Access-Control-Max-Age", "600")
}

func TestPlainOptionsRequestGoesToTheBackend(t *testing.T) {
	response := serve(t, parse(t, config), "OPTIONS", map[string]string{"Origin": "https://app.example.com"})
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestEveryOriginMayReadWithAStar(t *testing.T) {
	response := serve(t, parse(t, "cors *"), "GET", map[string]string{"Origin": "https://anybody.example.org"})
	want(t, response, "Access-Control-Allow-Origin", "*")
	want(t, response, "Vary", "")
}

func TestUselessConfigurationIsRefused(t *testing.T) {
	for _, c := range []CORS{
		{},
		{Origins: []string{"*"}, Credentials: true},
		{Origins: []string{"app.example.com"}},
		{Origins: []string{"https://app.example.com/"}},
		{Origins: []string{"https://app.example.com"}, MaxAge: -1},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	for _, text := range []string{"cors * {\n credentials yes\n}", "cors * {\n max_age soon\n}", "cors * {\n methods\n}", "cors * {\n nope x\n}"} {
		if new(CORS).UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
