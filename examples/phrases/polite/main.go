// Command phrases-polite is a plugin of the old protocol.
package main

import "example.org/phrases/phrase"

type polite struct{}

func (polite) Say(_, name string) (string, error) { return "How do you do, " + name + "?", nil }

func main() { phrase.Serve(phrase.Old, polite{}) }
