// Package bell is a plugin.
package bell

// Says is the answer.
func Says() string { return "bell" }
