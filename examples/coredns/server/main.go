// CoreDNS with the plugins of upstream that every site needs. All others are packages, which come in at the line
// "mkpkgs:register" in the order of their manifests.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/acl"
	_ "github.com/coredns/coredns/plugin/any"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/bufsize"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/header"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/minimal"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/root"
	_ "github.com/coredns/coredns/plugin/secondary"
	_ "github.com/coredns/coredns/plugin/tls"
	_ "github.com/coredns/coredns/plugin/transfer"
	_ "github.com/coredns/coredns/plugin/view"
)

// place puts a plugin in front of another one, of upstream's plugin.cfg or placed before. Of several in front of the
// same one, the one that is placed first is asked first.
func place(name, before string) {
	order := slices.DeleteFunc(slices.Clone(dnsserver.Directives), func(other string) bool { return other == name })
	at := slices.Index(order, before)
	if at < 0 {
		fmt.Fprintf(os.Stderr, "plugin %s: its place is in front of %s, which is not there\n", name, before)
		os.Exit(1)
	}
	if err := dnsserver.SetDirectives(slices.Insert(order, at, name)); err != nil {
		fmt.Fprintf(os.Stderr, "plugin %s: %v\n", name, err)
		os.Exit(1)
	}
}

func main() {
	//mkpkgs:register
	coremain.Run()
}
