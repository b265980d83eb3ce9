// Command tower answers over HTTP with what its plugins say, in their order.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"

	"example.com/tower/registry"
)

var version = "unset"

// serve answers each request alike; net/http would take most of the time of a build.
func serve(body string) error {
	server, err := net.Listen("tcp", "127.0.0.1:8080")
	for err == nil {
		var client net.Conn
		if client, err = server.Accept(); err == nil {
			bufio.NewReader(client).ReadString('\n')
			fmt.Fprintf(client, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			client.Close()
		}
	}
	return err
}

func main() {
	//mkpkgs:register
	body := strings.Join(append([]string{"tower " + version}, registry.Says...), "\n") + "\n"
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		fmt.Fprintln(os.Stderr, serve(body))
		os.Exit(1)
	}
	fmt.Println("tower", version)
}
