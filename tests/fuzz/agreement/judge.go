// What the code of go-plugin reads: a line `FORMAT TAB MACHINE TAB NAME` of stdin is one input, its answer a line of stdout.
package opener

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

const (
	core    = "fake"
	refused = "refused"
)

// Judge answers until stdin ends.
func Judge() {
	lines := bufio.NewScanner(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		machine, name := part[1], part[2]
		fmt.Fprintln(out, answer(part[0], machine, name))
	}
}

func answer(format, machine, name string) string {
	share := filepath.Join(machine, "share")
	plugins := filepath.Join(share, "plugins")
	switch format {
	case "manifest":
		return manifest(share, plugins, name)
	case "key":
		return publicKey(filepath.Join(share, "keys", name+".pub"))
	case "signature":
		return signature(filepath.Join(plugins, name+".manifest.sig"))
	case "revoked":
		return revoked(filepath.Join(share, "keys/revoked"))
	case "case":
		return verdict(machine, plugins, name)
	case "trust":
		return trust(share)
	case "disabled":
		h := &host{Settings: Settings{Config: filepath.Join(machine, "etc")}}
		names := h.disabled()
		sort.Strings(names)
		return taken(unique(names))
	}
	return "what is " + format + "?"
}

func taken(values any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(values); err != nil {
		panic(err)
	}
	return strings.TrimSpace(text.String())
}

func unique(names []string) []string {
	made := []string{}
	for i, name := range names {
		if i == 0 || names[i-1] != name {
			made = append(made, name)
		}
	}
	return made
}

func manifest(share, plugins, name string) string {
	var m *Manifest
	if name == "kit" {
		data, err := readFile(filepath.Join(share, "kit.manifest"))
		if err == nil {
			m, err = ParseManifest(data)
		}
		if err != nil || m.Plugin != "" || m.Core != core || m.Package != core+"-plugin-kit" {
			return refused
		}
	} else {
		data, err := readFile(filepath.Join(plugins, name+".manifest"))
		if err == nil {
			m, err = ParseManifest(data)
		}
		if err != nil {
			return refused
		}
		// For the ABI that it names: which one that is does not matter here.
		h := &host{Settings: Settings{Core: core, ABI: m.ABI, Share: share}, manifests: plugins, unsigned: true}
		if m = h.examine(name).manifest; m == nil {
			return refused
		}
	}
	files := [][]string{}
	for path, sha := range m.Files {
		files = append(files, []string{path, sha})
	}
	sort.Slice(files, func(i, j int) bool { return files[i][0] < files[j][0] })
	var order any
	if name != "kit" {
		order = m.Order
	}
	return taken(map[string]any{
		"core": m.Core, "abi": m.ABI, "plugin": m.Plugin, "package": m.Package, "version": m.Version, "order": order,
		"optional": m.Optional, "needs": append([]string{}, m.Needs...), "files": files,
	})
}

func publicKey(path string) string {
	var trusted Trusted
	data, err := readFile(path)
	if err == nil {
		err = trusted.AddKey(data)
	}
	if err != nil {
		return refused
	}
	k, over := trusted.keys[0], "-"
	if k.expires != "" && k.expires < time.Now().UTC().Format("2006-01-02") {
		over = k.expires
	}
	return taken(map[string]any{"kind": k.kind, "id": k.id, "point": hex.EncodeToString(k.data), "over": over})
}

func signature(path string) string {
	data, err := readFile(path)
	if err != nil {
		return refused
	}
	var refusal *Refusal
	if err = (&Trusted{}).Verify(nil, data, time.Now()); errors.As(err, &refusal) && refusal.Reason == "signature" {
		return refused
	}
	s, _ := read(data)
	return taken(map[string]any{"kind": s.kind, "id": s.id, "value": hex.EncodeToString(s.data)})
}

func revoked(path string) string {
	var trusted Trusted
	data, err := readFile(path)
	if err == nil {
		err = trusted.AddRevoked(data)
	}
	var wrong BadLines
	if err != nil && !errors.As(err, &wrong) {
		return refused
	}
	ids := []string{}
	for id := range trusted.revoked {
		if id != "" {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	// The tool tells ten of them one by one.
	return taken([]any{ids, append([]int{}, wrong[:min(10, len(wrong))]...), len(wrong)})
}

func verdict(machine, plugins, name string) string {
	h := &host{Settings: Settings{Share: filepath.Join(machine, "share"), Config: filepath.Join(machine, "etc")}}
	if h.readTrust() != nil {
		return "key"
	}
	data, err := readFile(filepath.Join(plugins, name+".manifest"))
	if err != nil {
		return err.Error()
	}
	signature, err := readFile(filepath.Join(plugins, name+".manifest.sig"))
	if err == nil {
		err = h.trusted.Verify(data, signature, time.Now())
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	if err != nil {
		return err.Error()
	}
	return "good"
}

func trust(share string) string {
	h := &host{Settings: Settings{Share: share, Config: share}}
	p := h.readTrust()
	switch {
	case p != nil && p.file == filepath.Join(share, "trust"):
		return "unknown"
	case h.unsigned:
		return "distribution"
	}
	return "signature"
}
