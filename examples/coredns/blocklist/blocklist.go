// Package blocklist answers NXDOMAIN for names of a list and for all below them.
//
//	blocklist <files...>
//
// A line of a file is a name; empty lines and what follows a # are skipped.
package blocklist

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
)

const name = "blocklist"

func init() { plugin.Register(name, setup) }

// Blocklist refuses to know names.
type Blocklist struct {
	Next  plugin.Handler
	names map[string]struct{}
}

// Name is the directive in the Corefile.
func (Blocklist) Name() string { return name }

// ServeDNS answers for names of the list, and leaves all others to the next plugin.
func (b Blocklist) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if len(r.Question) != 1 || !b.has(r.Question[0].Name) {
		return plugin.NextOrFailure(name, b.Next, ctx, w, r)
	}
	answer := new(dns.Msg).SetRcode(r, dns.RcodeNameError)
	return dns.RcodeNameError, w.WriteMsg(answer)
}

// has tells whether a name or one above it is in the list.
func (b Blocklist) has(asked string) bool {
	asked = dns.CanonicalName(asked)
	for at, end := 0, false; !end; at, end = dns.NextLabel(asked, at) {
		if _, found := b.names[asked[at:]]; found {
			return true
		}
	}
	return false
}

func (b Blocklist) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line != "" {
			b.names[dns.CanonicalName(line)] = struct{}{}
		}
	}
	return lines.Err()
}

func setup(c *caddy.Controller) error {
	config := dnsserver.GetConfig(c)
	list := Blocklist{names: map[string]struct{}{}}
	for c.Next() {
		files := c.RemainingArgs()
		if len(files) == 0 {
			return plugin.Error(name, c.ArgErr())
		}
		for _, file := range files {
			if !filepath.IsAbs(file) && config.Root != "" {
				file = filepath.Join(config.Root, file)
			}
			if err := list.read(file); err != nil {
				return plugin.Error(name, err)
			}
		}
	}
	config.AddPlugin(func(next plugin.Handler) plugin.Handler {
		list.Next = next
		return list
	})
	return nil
}
