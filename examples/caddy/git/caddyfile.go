package git

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("git", parseGlobalOption)
}

// parseGlobalOption reads the global option, which may stand there several times:
//
//	git <path> {
//	    url      <url>
//	    branch   <name>
//	    interval <duration>
//	    timeout  <duration>
//	}
func parseGlobalOption(d *caddyfile.Dispenser, before any) (any, error) {
	app := new(App)
	if known, ok := before.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(known.Value, app); err != nil {
			return nil, err
		}
	}
	d.Next()
	r := new(Repository)
	if !d.AllArgs(&r.Path) {
		return nil, d.ArgErr()
	}
	for d.NextBlock(0) {
		name, value := d.Val(), ""
		if !d.AllArgs(&value) {
			return nil, d.ArgErr()
		}
		switch name {
		case "url":
			r.URL = value
		case "branch":
			r.Branch = value
		case "interval", "timeout":
			duration, err := caddy.ParseDuration(value)
			if err != nil {
				return nil, d.Errf("%s: %v", name, err)
			}
			if name == "interval" {
				r.Interval = caddy.Duration(duration)
			} else {
				r.Timeout = caddy.Duration(duration)
			}
		default:
			return nil, d.Errf("unknown option of git: %s", name)
		}
	}
	app.Repositories = append(app.Repositories, r)
	return httpcaddyfile.App{Name: "git", Value: caddyconfig.JSON(app, nil)}, nil
}
