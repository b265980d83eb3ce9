// Command tower answers over HTTP with what its plugins say, in their order.
package main

import (
	"fmt"
	"net/http"
	"os"

	"example.com/tower/registry"
)

var version = "unset"

func main() {
	//mkpkgs:register
	if len(os.Args) != 2 || os.Args[1] != "serve" {
		fmt.Println("tower", version)
		return
	}
	answer := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "tower", version)
		for _, text := range registry.Says {
			fmt.Fprintln(w, text)
		}
	}
	fmt.Fprintln(os.Stderr, http.ListenAndServe("127.0.0.1:8080", http.HandlerFunc(answer)))
	os.Exit(1)
}
