// Command judge says what the verifier of go-plugin makes of the files that all readers judge alike.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"judge/opener"
)

func manifest(path string) string {
	data, err := os.ReadFile(path)
	if err == nil {
		_, err = opener.ParseManifest(data)
	}
	if err != nil {
		return "bad"
	}
	return "good"
}

func signature(folder string) (string, error) {
	trusted := &opener.Trusted{}
	keys, _ := filepath.Glob(filepath.Join(folder, "*.pub"))
	for _, file := range keys {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if err := trusted.AddKey(data); err != nil {
			return "", err
		}
	}
	if data, err := os.ReadFile(filepath.Join(folder, "revoked")); err == nil {
		if err := trusted.AddRevoked(data); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "bell.manifest"))
	if err != nil {
		return "", err
	}
	signature, err := os.ReadFile(filepath.Join(folder, "bell.manifest.sig"))
	if err != nil {
		return "", err
	}
	return "good", trusted.Verify(text, signature, time.Now())
}

func main() {
	for _, path := range os.Args[2:] {
		verdict := manifest(path)
		if os.Args[1] == "signature" {
			said, err := signature(path)
			verdict = said
			var refusal *opener.Refusal
			if errors.As(err, &refusal) {
				verdict = refusal.Reason
			} else if err != nil {
				verdict = err.Error()
			}
		}
		fmt.Printf("%s\t%s\n", path, verdict)
	}
}
