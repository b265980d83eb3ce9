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

// signature gives a word, and the numbers of the bad lines in the list of revoked keys.
func signature(folder string) string {
	told, err := judge(folder)
	verdict := "good"
	var refusal *opener.Refusal
	if errors.As(err, &refusal) {
		verdict = refusal.Reason
	} else if err != nil {
		verdict = err.Error()
	}
	for _, line := range told {
		verdict += fmt.Sprintf(" %d", line)
	}
	return verdict
}

func judge(folder string) (told opener.BadLines, err error) {
	trusted := &opener.Trusted{}
	keys, _ := filepath.Glob(filepath.Join(folder, "*.pub"))
	for _, file := range keys {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := trusted.AddKey(data); err != nil {
			return nil, err
		}
	}
	if data, err := os.ReadFile(filepath.Join(folder, "revoked")); err == nil {
		errors.As(trusted.AddRevoked(data), &told)
	}
	text, err := os.ReadFile(filepath.Join(folder, "bell.manifest"))
	if err != nil {
		return nil, err
	}
	signature, err := os.ReadFile(filepath.Join(folder, "bell.manifest.sig"))
	if err != nil {
		return nil, err
	}
	return told, trusted.Verify(text, signature, time.Now())
}

func main() {
	for _, path := range os.Args[2:] {
		verdict := manifest(path)
		if os.Args[1] == "signature" {
			verdict = signature(path)
		}
		fmt.Printf("%s\t%s\n", path, verdict)
	}
}
