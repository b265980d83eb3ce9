// load URL REQUESTS CONNECTIONS sends GET requests over kept connections of loopback and prints the seconds they took.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	address, err := url.Parse(os.Args[1])
	if err != nil || !net.ParseIP(address.Hostname()).IsLoopback() {
		fmt.Fprintln(os.Stderr, "only addresses of loopback")
		os.Exit(2)
	}
	requests, _ := strconv.ParseInt(os.Args[2], 10, 64)
	connections, _ := strconv.Atoi(os.Args[3])
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}, Timeout: 10 * time.Second}
	var sent atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := 0; i < connections; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for sent.Add(1) <= requests {
				one(client, address.String())
			}
		}()
	}
	all.Wait()
	fmt.Println(time.Since(began).Seconds())
}

// one ends the program unless the answer came through the plugin.
func one(client *http.Client, address string) {
	request, _ := http.NewRequest("GET", address, nil)
	request.Header.Set("Origin", "https://app.example.com")
	answer, err := client.Do(request)
	if err == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	if err != nil || answer.StatusCode != 200 || answer.Header.Get("Access-Control-Allow-Origin") != "*" {
		fmt.Fprintln(os.Stderr, "wrong answer:", err, answer)
		os.Exit(1)
	}
}
