package echo

import "example.com/tower/registry"

func init() { registry.Add(Says()) }
