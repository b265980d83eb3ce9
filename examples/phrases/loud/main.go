// Command phrases-loud is a plugin of the protocol of now.
package main

import (
	"strings"

	"example.org/phrases/phrase"
)

type loud struct{}

func (loud) Say(title, name string) (string, error) {
	return strings.ToUpper("hey " + title + " " + name), nil
}

func main() { phrase.Serve(phrase.New, loud{}) }
