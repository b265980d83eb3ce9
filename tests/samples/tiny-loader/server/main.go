// Command host greets, with what its plugins registered.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"example.com/host/registry"

	_ "example.com/host/standard"
)

var greeting = "unset"

func main() {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "version":
		fmt.Println("host", greeting)
		return
	case "arguments":
		fmt.Println(os.Args[2:])
		return
	case "collector":
		fmt.Println(debug.SetGCPercent(-1))
		return
	}
	for _, name := range registry.Names() {
		fmt.Println(name)
	}
	for mode == "serve" {
		time.Sleep(time.Hour)
	}
}
