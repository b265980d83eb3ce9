// Command gate serves a secret over HTTP to whom all of its guards let in.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"example.org/gate/gate"
)

func serve(w http.ResponseWriter, r *http.Request) {
	for _, lets := range gate.Guards {
		if !lets(r) {
			http.Error(w, "no entry", http.StatusUnauthorized)
			return
		}
	}
	fmt.Fprintln(w, "the secret")
}

// check fails if the configuration names a guard that is not there.
func check() error {
	text, err := os.ReadFile("/etc/gate/gate.conf")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(text), "\n") {
		name := strings.TrimSpace(strings.SplitN(line, "#", 2)[0])
		if _, there := gate.Guards[name]; name != "" && !there {
			return fmt.Errorf("gate.conf: there is no plugin %s", name)
		}
	}
	// A server may write while it reads its configuration.
	return os.WriteFile("/var/lib/gate/checked", nil, 0o600)
}

func main() {
	mode := ""
	if len(os.Args) == 2 {
		mode = os.Args[1]
	}
	err := fmt.Errorf("usage: gate version | check | serve")
	switch mode {
	case "version":
		fmt.Println("gate", len(gate.Guards))
		err = nil
	case "check":
		err = check()
	case "serve":
		err = check()
		if err == nil {
			err = http.ListenAndServe("127.0.0.1:8080", http.HandlerFunc(serve))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
