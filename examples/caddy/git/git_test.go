package git

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// run calls the real git.
func run(t *testing.T, folder string, arguments ...string) {
	t.Helper()
	command := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, arguments...)...)
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", arguments, err, output)
	}
}

// upstream is a repository with one commit on branch main.
func upstream(t *testing.T, text string) string {
	t.Helper()
	folder := t.TempDir()
	run(t, folder, "init", "--quiet", "--initial-branch=main")
	push(t, folder, text)
	return folder
}

func push(t *testing.T, folder, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, folder, "add", ".")
	run(t, folder, "commit", "--quiet", "--message", text)
}

func provisioned(t *testing.T, r *Repository) *App {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	app := &App{Repositories: []*Repository{r}}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := app.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := app.Validate(); err != nil {
		t.Fatal(err)
	}
	return app
}

func waitFor(t *testing.T, path, text string) {
	t.Helper()
	for range 200 {
		if got, _ := os.ReadFile(path); string(got) == text {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s never became %q", path, text)
}

func TestDirectoryFollowsTheBranch(t *testing.T) {
	origin := upstream(t, "one")
	site := filepath.Join(t.TempDir(), "site")
	app := provisioned(t, &Repository{Path: site, URL: origin, Branch: "main", Interval: caddy.Duration(5 * time.Second)})
	app.Repositories[0].Interval = caddy.Duration(100 * time.Millisecond)
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(site, "index.html"), "one")
	push(t, origin, "two")
	waitFor(t, filepath.Join(site, "index.html"), "two")
	// History was rewritten upstream.
	run(t, origin, "checkout", "--quiet", "--orphan", "fresh")
	run(t, origin, "branch", "--quiet", "-D", "main")
	run(t, origin, "branch", "--quiet", "-m", "main")
	push(t, origin, "three")
	waitFor(t, filepath.Join(site, "index.html"), "three")
	if err := app.Stop(); err != nil {
		t.Fatal(err)
	}
	push(t, origin, "four")
	time.Sleep(300 * time.Millisecond)
	waitFor(t, filepath.Join(site, "index.html"), "three")
	if _, err := os.Stat(filepath.Join(site, ".git")); !os.IsNotExist(err) {
		t.Error("the history lies in the directory that is served")
	}
}

func TestFilesStayWhenTheOtherSideIsGone(t *testing.T) {
	origin := upstream(t, "one")
	site := filepath.Join(t.TempDir(), "site")
	r := provisioned(t, &Repository{Path: site, URL: origin}).Repositories[0]
	if err := r.update(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.URL = filepath.Join(t.TempDir(), "nothing")
	if err := r.update(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("no good error: %v", err)
	}
	waitFor(t, filepath.Join(site, "index.html"), "one")
}

func TestStopDoesNotWaitForASlowServer(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site")
	app := provisioned(t, &Repository{Path: site, URL: upstream(t, "one")})
	program := filepath.Join(t.TempDir(), "git")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	app.Repositories[0].program = program
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	begin := time.Now()
	if err := app.Stop(); err != nil {
		t.Fatal(err)
	}
	if time.Since(begin) > 5*time.Second {
		t.Error("git was not stopped")
	}
}

func TestDangerousConfigurationIsRefused(t *testing.T) {
	good := Repository{Path: "/srv/site", URL: "https://example.com/site.git", Interval: caddy.Duration(time.Hour)}
	for name, change := range map[string]func(*Repository){
		"relative path":    func(r *Repository) { r.Path = "site" },
		"path with dots":   func(r *Repository) { r.Path = "/srv/../etc" },
		"root":             func(r *Repository) { r.Path = "/" },
		"no URL":           func(r *Repository) { r.URL = "" },
		"option as URL":    func(r *Repository) { r.URL = "--upload-pack=touch /tmp/x" },
		"helper as URL":    func(r *Repository) { r.URL = "ext::sh -c id" },
		"option as branch": func(r *Repository) { r.Branch = "--force" },
		"refspec":          func(r *Repository) { r.Branch = "main:main" },
		"short interval":   func(r *Repository) { r.Interval = caddy.Duration(time.Second) },
	} {
		r := good
		change(&r)
		if (&App{Repositories: []*Repository{&r}}).Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := (&App{Repositories: []*Repository{&good}}).Validate(); err != nil {
		t.Error(err)
	}
	if (&App{Repositories: []*Repository{&good, &good}}).Validate() == nil {
		t.Error("the same path twice is taken")
	}
}

func TestGlobalOptionMayStandThereTwice(t *testing.T) {
	var value any
	for _, text := range []string{
		"git /srv/a {\n url https://example.com/a.git\n branch main\n interval 10m\n timeout 1m\n}",
		"git /srv/b {\n url https://example.com/b.git\n}",
	} {
		next, err := parseGlobalOption(caddyfile.NewTestDispenser(text), value)
		if err != nil {
			t.Fatal(err)
		}
		value = next
	}
	app := new(App)
	if err := json.Unmarshal(value.(httpcaddyfile.App).Value, app); err != nil {
		t.Fatal(err)
	}
	if len(app.Repositories) != 2 || app.Repositories[0].Branch != "main" || app.Repositories[1].Path != "/srv/b" {
		t.Errorf("%+v", app.Repositories)
	}
	for _, text := range []string{"git", "git /a /b", "git /a {\n url\n}", "git /a {\n nope x\n}", "git /a {\n interval x\n}"} {
		if _, err := parseGlobalOption(caddyfile.NewTestDispenser(text), nil); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
