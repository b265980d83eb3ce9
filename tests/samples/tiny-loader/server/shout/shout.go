package shout

import "example.com/host/registry"

func init() { registry.Add("shout") }
