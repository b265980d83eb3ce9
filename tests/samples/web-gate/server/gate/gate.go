// Package gate is what plugins of the server know of it.
package gate

import "net/http"

// Guards decide in turn whether a request is served; each has the name of its plugin.
var Guards = map[string]func(*http.Request) bool{}
