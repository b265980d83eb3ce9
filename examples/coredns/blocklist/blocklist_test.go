package blocklist

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
)

func TestNamesOfTheListAndAllBelowAreUnknown(t *testing.T) {
	list := Blocklist{Next: test.NextHandler(dns.RcodeSuccess, nil), names: map[string]struct{}{}}
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("# of the house\nBad.example\n\n  worse.example.  # really\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := list.read(file); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]int{
		"bad.example.":         dns.RcodeNameError,
		"www.BAD.example.":     dns.RcodeNameError,
		"worse.example.":       dns.RcodeNameError,
		"notbad.example.":      dns.RcodeSuccess,
		"bad.example.org.":     dns.RcodeSuccess,
		".":                    dns.RcodeSuccess,
		"a.b.worse.example.":   dns.RcodeNameError,
		"worse.example.other.": dns.RcodeSuccess,
	} {
		writer := dnstest.NewRecorder(&test.ResponseWriter{})
		got, err := list.ServeDNS(context.Background(), writer, new(dns.Msg).SetQuestion(asked, dns.TypeA))
		if err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", asked, got, err, want)
		}
	}
}

func TestUselessConfigurationIsRefused(t *testing.T) {
	for _, text := range []string{"blocklist", "blocklist /nonexistent/list"} {
		if setup(caddy.NewTestController("dns", text)) == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
