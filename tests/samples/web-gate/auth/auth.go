// Package auth lets in who knows the password.
package auth

import (
	"net/http"

	"example.org/gate/gate"
)

func init() {
	gate.Guards["auth"] = func(r *http.Request) bool {
		_, password, _ := r.BasicAuth()
		return password == "open sesame"
	}
}
