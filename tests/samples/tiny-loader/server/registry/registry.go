// Package registry knows what is linked in.
package registry

import "sort"

var names []string

// Add registers a name.
func Add(name string) { names = append(names, name) }

// Names lists them, sorted.
func Names() []string {
	sort.Strings(names)
	return names
}
