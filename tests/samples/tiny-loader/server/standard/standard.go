// Package standard only imports.
package standard

import (
	_ "example.com/host/greet"
	_ "example.com/host/shout"
)
