// Package cors answers cross-origin requests of browsers (fetch.spec.whatwg.org, "CORS protocol") for whatever Caddy
// serves.
package cors

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(CORS{})
	httpcaddyfile.RegisterHandlerDirective("cors", parseCaddyfile)
	// Before anything that may answer or refuse a request: a preflight carries no credentials.
	httpcaddyfile.RegisterDirectiveOrder("cors", httpcaddyfile.Before, "redir")
}

// CORS lets pages of other origins read responses.
type CORS struct {
	// Origins that may read, such as https://app.example.com, or * for all.
	Origins []string `json:"origins,omitempty"`
	// Methods beside GET, HEAD and POST that a page may use.
	Methods []string `json:"methods,omitempty"`
	// Headers that a page may send, beside those that need no permission.
	Headers []string `json:"headers,omitempty"`
	// Expose are headers of the response that a page may read.
	Expose []string `json:"expose,omitempty"`
	// Credentials says that cookies and passwords may come along.
	Credentials bool `json:"credentials,omitempty"`
	// MaxAge is how long a browser may remember the answer to a preflight.
	MaxAge caddy.Duration `json:"max_age,omitempty"`
}

// CaddyModule describes the module to Caddy.
func (CORS) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.cors", New: func() caddy.Module { return new(CORS) }}
}

// Validate refuses what browsers would ignore.
func (c *CORS) Validate() error {
	if len(c.Origins) == 0 {
		return fmt.Errorf("cors: no origin is allowed; write one, such as https://app.example.com, or *")
	}
	for _, origin := range c.Origins {
		if origin == "*" {
			if c.Credentials {
				return fmt.Errorf("cors: credentials cannot be allowed to every origin (*)")
			}
			continue
		}
		parsed, err := url.Parse(origin)
		if err != nil || parsed.Scheme == "" || parsed.Host == "" || parsed.Scheme+"://"+parsed.Host != origin {
			return fmt.Errorf("cors: %q is no origin: write scheme://host or scheme://host:port", origin)
		}
	}
	if c.MaxAge < 0 {
		return fmt.Errorf("cors: max_age is negative")
	}
	return nil
}

// ServeHTTP answers preflights of allowed origins, and marks the responses that they may read.
func (c *CORS) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	origin := r.Header.Get("Origin")
	allowed := c.allowed(origin)
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if preflight && allowed != "" {
		c.set(w.Header(), allowed)
		c.setPreflight(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return next.ServeHTTP(&marker{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, mark: func() {
		c.set(w.Header(), allowed)
	}}, r)
}

// allowed is the value of Access-Control-Allow-Origin, or "" if this origin may not read.
func (c *CORS) allowed(origin string) string {
	switch {
	case origin == "":
		return ""
	case slices.Contains(c.Origins, "*"):
		return "*"
	case slices.ContainsFunc(c.Origins, func(known string) bool { return strings.EqualFold(known, origin) }):
		return origin
	}
	return ""
}

// set replaces the headers that a backend may have set for itself.
func (c *CORS) set(header http.Header, allowed string) {
	if !slices.Contains(c.Origins, "*") && !slices.Contains(header.Values("Vary"), "Origin") {
		header.Add("Vary", "Origin")
	}
	for _, name := range []string{"Allow-Origin", "Allow-Credentials", "Expose-Headers"} {
		header.Del("Access-Control-" + name)
	}
	if allowed == "" {
		return
	}
	header.Set("Access-Control-Allow-Origin", allowed)
	if c.Credentials {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Expose) > 0 {
		header.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
	}
}

func (c *CORS) setPreflight(header http.Header) {
	methods := c.Methods
	if len(methods) == 0 {
		methods = []string{http.MethodGet, http.MethodHead, http.MethodPost}
	}
	header.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	if len(c.Headers) > 0 {
		header.Set("Access-Control-Allow-Headers", strings.Join(c.Headers, ", "))
	}
	if c.MaxAge > 0 {
		header.Set("Access-Control-Max-Age", strconv.Itoa(int(time.Duration(c.MaxAge).Seconds())))
	}
}

// marker calls mark right before the header of the final response goes out.
type marker struct {
	*caddyhttp.ResponseWriterWrapper
	mark func()
	done bool
}

func (m *marker) before() {
	if !m.done {
		m.done = true
		m.mark()
	}
}

func (m *marker) WriteHeader(status int) {
	// 1xx are no final responses; 101 is.
	if status >= 200 || status == http.StatusSwitchingProtocols {
		m.before()
	}
	m.ResponseWriterWrapper.WriteHeader(status)
}

func (m *marker) Write(data []byte) (int, error) {
	m.before()
	return m.ResponseWriterWrapper.Write(data)
}

func (m *marker) ReadFrom(r io.Reader) (int64, error) {
	m.before()
	return m.ResponseWriterWrapper.ReadFrom(r)
}

// UnmarshalCaddyfile reads
//
//	cors [<matcher>] <origins...> {
//	    methods <methods...>
//	    headers <names...>
//	    expose  <names...>
//	    credentials
//	    max_age <duration>
//	}
func (c *CORS) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	c.Origins = append(c.Origins, d.RemainingArgs()...)
	for d.NextBlock(0) {
		name, values := d.Val(), d.RemainingArgs()
		if (name == "credentials") != (len(values) == 0) {
			return d.ArgErr()
		}
		switch name {
		case "methods":
			c.Methods = append(c.Methods, values...)
		case "headers":
			c.Headers = append(c.Headers, values...)
		case "expose":
			c.Expose = append(c.Expose, values...)
		case "credentials":
			c.Credentials = true
		case "max_age":
			age, err := caddy.ParseDuration(values[0])
			if err != nil || len(values) > 1 {
				return d.Errf("max_age: one duration, please, such as 10m")
			}
			c.MaxAge = caddy.Duration(age)
		default:
			return d.Errf("unknown option of cors: %s", name)
		}
	}
	return nil
}

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	c := new(CORS)
	return c, c.UnmarshalCaddyfile(h.Dispenser)
}

var (
	_ caddy.Validator             = (*CORS)(nil)
	_ caddyhttp.MiddlewareHandler = (*CORS)(nil)
	_ caddyfile.Unmarshaler       = (*CORS)(nil)
)
