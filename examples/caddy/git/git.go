// Package git keeps checked-out git repositories up to date while Caddy runs, so that a push publishes a site.
package git

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(new(App))
}

const (
	defaultInterval = time.Hour
	minimalInterval = 5 * time.Second
	defaultTimeout  = 5 * time.Minute
)

// App is the Caddy app `git`.
type App struct {
	Repositories []*Repository `json:"repositories,omitempty"`

	logger  *zap.Logger
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Repository is one directory that follows one branch. Changes made in the directory by others are undone; files that
// git does not know stay.
type Repository struct {
	// Path of the directory, absolute.
	Path string `json:"path"`
	// URL to fetch from, as git takes it: https://…, ssh://…, user@host:path, or an absolute path.
	URL string `json:"url"`
	// Branch or tag; the default is what the other side has as HEAD.
	Branch string `json:"branch,omitempty"`
	// Interval between two looks, 1h by default.
	Interval caddy.Duration `json:"interval,omitempty"`
	// Timeout of one look, 5m by default.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	program string
	store   string
	logger  *zap.Logger
	last    string
}

// CaddyModule describes the module to Caddy.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "git", New: func() caddy.Module { return new(App) }}
}

// Provision finds git and sets defaults.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	program, err := exec.LookPath("git")
	if err != nil {
		return fmt.Errorf("git is not installed: %w", err)
	}
	for _, r := range a.Repositories {
		r.program = program
		r.logger = a.logger.With(zap.String("path", r.Path))
		// Not in the directory itself: a file server would serve .git and with it all of the history.
		r.store = filepath.Join(caddy.AppDataDir(), "git", fmt.Sprintf("%.8x", sha256.Sum256([]byte(r.Path))))
		if r.Interval == 0 {
			r.Interval = caddy.Duration(defaultInterval)
		}
		if r.Timeout == 0 {
			r.Timeout = caddy.Duration(defaultTimeout)
		}
	}
	return nil
}

// Validate refuses what git would understand in another way than it looks.
func (a *App) Validate() error {
	seen := map[string]bool{}
	for _, r := range a.Repositories {
		switch {
		case !filepath.IsAbs(r.Path) || filepath.Clean(r.Path) != r.Path || r.Path == "/":
			return fmt.Errorf("git: %q is no absolute path of a directory", r.Path)
		case seen[r.Path]:
			return fmt.Errorf("git: %s is there twice", r.Path)
		case r.URL == "" || strings.HasPrefix(r.URL, "-") || strings.Contains(r.URL, "::"):
			return fmt.Errorf("git: %q is no URL of a repository", r.URL)
		case strings.HasPrefix(r.Branch, "-") || strings.ContainsAny(r.Branch, " :^~?*[\\+"):
			return fmt.Errorf("git: %q is no name of a branch", r.Branch)
		case time.Duration(r.Interval) < minimalInterval:
			return fmt.Errorf("git: an interval of %v is too short", time.Duration(r.Interval))
		case r.Timeout < 0:
			return fmt.Errorf("git: the timeout is negative")
		}
		seen[r.Path] = true
	}
	return nil
}

// Start looks at each repository at once, in the background, and then again after each interval.
func (a *App) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	for _, r := range a.Repositories {
		a.running.Go(func() { r.follow(ctx) })
	}
	return nil
}

// Stop ends a running git, and waits for it.
func (a *App) Stop() error {
	a.cancel()
	a.running.Wait()
	return nil
}

// busy has one entry per directory: while Caddy loads a new configuration, the app of the old one still runs.
var busy sync.Map

func (r *Repository) follow(ctx context.Context) {
	for {
		if err := r.update(ctx); err != nil && ctx.Err() == nil {
			r.logger.Error("update failed, the files stay as they are", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(r.Interval)):
		}
	}
}

func (r *Repository) update(ctx context.Context) error {
	turn, _ := busy.LoadOrStore(r.Path, make(chan struct{}, 1))
	lock := turn.(chan struct{})
	select {
	case lock <- struct{}{}:
		defer func() { <-lock }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.Timeout))
	defer cancel()
	if err := errors.Join(os.MkdirAll(r.Path, 0o755), os.MkdirAll(r.store, 0o700)); err != nil {
		return err
	}
	branch := r.Branch
	if branch == "" {
		branch = "HEAD"
	}
	if _, err := r.git(ctx, "init", "--quiet", "--bare", r.store); err != nil {
		return err
	}
	if _, err := r.git(ctx, "fetch", "--quiet", "--force", "--depth=1", "--no-tags", "--", r.URL, branch); err != nil {
		return err
	}
	commit, err := r.git(ctx, "rev-parse", "--verify", "FETCH_HEAD^{commit}")
	if err != nil {
		return err
	}
	if _, err := r.git(ctx, "--work-tree="+r.Path, "reset", "--quiet", "--hard", commit); err != nil {
		return err
	}
	if commit != r.last {
		r.logger.Info("updated", zap.String("url", r.URL), zap.String("branch", branch), zap.String("commit", commit))
		r.last = commit
	}
	return nil
}

// git runs git, never through a shell, and never so that it asks somebody for a password.
func (r *Repository) git(ctx context.Context, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, r.program, append([]string{"--git-dir=" + r.store}, arguments...)...)
	command.Dir = r.Path
	command.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_SSH_COMMAND=ssh -oBatchMode=yes", "LC_ALL=C")
	// git removes its lock files on SIGTERM, not on SIGKILL.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	output, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("git: %w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(output)), err
}

var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
	_ caddy.Validator   = (*App)(nil)
)
