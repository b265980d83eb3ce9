// Package registry knows the plugins of the server, in their order.
package registry

// Says is what each plugin answers with.
var Says []string

// Add registers an answer.
func Add(text string) { Says = append(Says, text) }
