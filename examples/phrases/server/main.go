// Command phrases answers over HTTP with what its plugins say. It starts each as a program and calls it by
// github.com/hashicorp/go-plugin.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"example.org/phrases/phrase"
)

const serving = "/usr/lib/phrases/bin/serving"

type started struct {
	name    string
	version int
	phraser phrase.Phraser
}

// start begins all plugins that apply has put into the working set, in their order.
func start() (all []started, err error) {
	names, _ := os.ReadFile(serving + "/loader/plugins")
	set := plugin.PluginSet{"phrase": &phrase.Plugin{}}
	for _, name := range strings.Fields(string(names)) {
		client := plugin.NewClient(&plugin.ClientConfig{
			HandshakeConfig:  phrase.Cookie,
			VersionedPlugins: map[int]plugin.PluginSet{phrase.New: set, phrase.Old: set},
			Cmd:              exec.Command(serving + "/plugins/" + name + "/phrases-" + name),
			Managed:          true,
			Logger:           hclog.NewNullLogger(),
		})
		protocol, err := client.Client()
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		raw, err := protocol.Dispense("phrase")
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		all = append(all, started{name, client.NegotiatedVersion(), raw.(phrase.Phraser)})
	}
	return all, nil
}

func answer(all []started) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, one := range all {
			title := "Dr."
			if one.version == phrase.Old {
				title = ""
			}
			said, err := one.phraser.Say(title, "Ada")
			if err != nil {
				said = err.Error()
			}
			fmt.Fprintf(w, "%s, protocol %d: %s\n", one.name, one.version, said)
		}
	}
}

func main() {
	mode := strings.Join(os.Args[1:], " ")
	if mode != "check" && mode != "serve" {
		fmt.Println("phrases: speaks protocols", phrase.New, "and", phrase.Old)
		return
	}
	all, err := start()
	if err == nil && mode == "serve" {
		err = http.ListenAndServe("127.0.0.1:8080", answer(all))
	}
	plugin.CleanupClients()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(len(all), "plugins have answered")
}
