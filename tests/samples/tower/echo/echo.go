// Package echo is a plugin.
package echo

// Says is the answer.
func Says() string { return "echo" }
