// Package main is a server with a registry, as far as plugins care.
package main

import (
	"fmt"
	"os"

	// What the server always has.
	"example.com/host/registry"

	_ "example.com/host/standard"
)

var greeting = "unset"

func main() {
	//mkpkgs:register
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println("host", greeting)
		return
	}
	for _, name := range registry.Names() {
		fmt.Println(name)
	}
}
