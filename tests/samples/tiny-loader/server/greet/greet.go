package greet

import "example.com/host/registry"

func init() { registry.Add("greet") }
