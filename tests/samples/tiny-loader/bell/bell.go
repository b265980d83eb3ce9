// Package bell has a sound.
package bell

import (
	_ "embed"
	"strings"

	"example.com/host/registry"
)

//go:embed sound.txt
var sound string

// Ring gives the sound some times.
func Ring(times int) string { return strings.Repeat(strings.TrimSpace(sound), times) }

func init() { registry.Add("bell " + Ring(1)) }
