"""The life of the Caddy example on one machine, told once for apt and for dnf.

The tests of the class run in their order on one machine: each begins where the one before ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.machine import lines
from tests.systems import System
from tests.workspace import newest

# What `caddy list-modules` shows of a plugin and of nothing else.
MODULES = {
    "acmeserver": {"http.handlers.acme_server"},
    "cors": {"http.handlers.cors"},
    "fastcgi": {"http.reverse_proxy.transport.fastcgi"},
    "files": {"http.handlers.file_server", "http.handlers.templates"},
    "git": {"git"},
    "l4": {"layer4"},
    "requestbody": {"http.handlers.request_body"},
    "tracing": {"http.handlers.tracing"},
}
PLAIN = """
http://:8080 {
	respond "plain core"
}
"""
SITE = """
http://:8080 {
	root * /srv/site
	cors https://app.example.org
	templates
	file_server
}
"""
WEB = """
{
	skip_install_trust
}
http://:80 {
	respond "over http"
}
https://localhost {
	tls internal
	respond "over https"
}
"""
GIT_SITE = """
{
	git /var/lib/caddy/checkout {
		url /srv/origin
		branch main
		interval 5s
	}
}
http://:8080 {
	root * /var/lib/caddy/checkout
	file_server
}
"""


@dataclass(frozen=True, slots=True)
class Caddy:
    """Repositories of the example. older: `dist` of Caddy 2.11.8, amd64. newer: of 2.11.9, amd64 and arm64."""

    older: Path
    newer: Path


def modules(system: System) -> set[str]:
    """Names of the modules in the program that serves."""
    return {line.split()[0] for line in lines(system.run("caddy", "list-modules").stdout) if ":" not in line}


def plugins(system: System) -> set[str]:
    """The plugins that are in the program that serves, whole."""
    found = modules(system)
    for name, own in MODULES.items():
        assert own <= found or not own & found, f"half of {name} is there"
    return {name for name, own in MODULES.items() if own <= found}


def relinks(system: System) -> int:
    """How often apply has put another program into place."""
    system.run("journalctl", "--sync", check=False)
    journal = system.run("journalctl", "-t", "caddy-plugins", "-o", "cat", check=False).stdout
    return sum("put into caddy" in line or "caddy has no plugins" in line for line in journal.splitlines())


def configure(system: System, text: str) -> None:
    """Give Caddy a configuration and wait until it serves it."""
    system.write("/etc/caddy/Caddyfile", text)
    system.run("systemctl", "reload-or-restart", "caddy")


def get(system: System, path: str = "/", *options: str) -> str:
    """A page, with its headers."""
    retry = ("--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "30")
    return system.run("curl", "-si", *retry, *options, f"http://127.0.0.1:8080{path}").stdout


class CaddyLife:
    """Install, add, remove, upgrade, refuse, purge."""

    kind: type[System]

    def test_core_alone_serves_as_its_own_user(self, life: System) -> None:
        life.install("caddy")
        life.write("/etc/caddy/Caddyfile", PLAIN)
        life.run("systemctl", "enable", "caddy")
        life.run("systemctl", "restart", "caddy")
        assert "plain core" in get(life)
        pid = life.run("systemctl", "show", "-P", "MainPID", "caddy").stdout.strip()
        assert life.sh(f"stat -c %U /proc/{pid}") == "caddy\n"
        assert plugins(life) == set()
        assert life.run("caddy", "version").stdout.startswith("v2.11.8")
        assert set(life.installed()) == {"caddy"}

    def test_three_plugins_in_one_transaction_are_one_relink_and_one_restart(self, life: System) -> None:
        starts, relinked = life.starts(), relinks(life)
        life.install(*life.plugin("files", "cors", "git"))
        assert plugins(life) == {"files", "cors", "git"}
        assert life.starts() == starts + 1
        assert relinks(life) == relinked + 1
        assert "plain core" in get(life)
        assert life.run("caddy-plugins", "status").returncode == 0

    def test_a_page_goes_through_templates_and_a_header_through_cors(self, life: System) -> None:
        life.write("/srv/site/index.html", "2 + 3 = {{add 2 3}}\n")
        configure(life, SITE)
        page = get(life, "/", "-H", "Origin: https://app.example.org")
        assert "2 + 3 = 5" in page
        assert "access-control-allow-origin: https://app.example.org" in page.lower()
        foreign = get(life, "/", "-H", "Origin: https://evil.example.org")
        assert "access-control-allow-origin" not in foreign.lower()

    def test_it_binds_the_ports_of_the_web_and_is_hardened_all_the_same(self, life: System) -> None:
        configure(life, WEB)
        assert "over http" in life.run("curl", "-s", "--retry", "9", "--retry-connrefused", "http://127.0.0.1/").stdout
        assert (
            "over https" in life.run("curl", "-sk", "--retry", "9", "--retry-all-errors", "https://localhost/").stdout
        )
        # The threshold is the exposure times ten; above it the status is not 0.
        life.run("systemd-analyze", "security", "--threshold=20", "--no-pager", "caddy.service")
        assert life.run("systemctl", "list-timers", "--all", "--no-legend", "caddy*").stdout == ""

    def test_git_plugin_keeps_a_repository_checked_out(self, life: System) -> None:
        life.sh(
            "git init -q -b main /srv/origin; cd /srv/origin; echo first >page.txt; git add .; "
            "git -c user.name=t -c user.email=t@example.org commit -qm first; chown -R caddy: /srv/origin"
        )
        configure(life, GIT_SITE)
        assert "first" in wait_for(life, "/page.txt", "first")
        life.sh(
            "cd /srv/origin; echo second >page.txt; "
            "setpriv --reuid caddy --regid caddy --clear-groups env HOME=/tmp "
            "git -c user.name=t -c user.email=t@example.org commit -qam second"
        )
        assert "second" in wait_for(life, "/page.txt", "second")

    def test_other_programs_find_nothing_changed_on_disk(self, life: System) -> None:
        assert life.verify() == ""

    def test_build_information_names_the_plugins_modules(self, life: System) -> None:
        life.install(*life.plugin("l4"))
        assert "v0.1.2" in life.run("caddy", "list-modules", "--versions").stdout
        assert plugins(life) == {"files", "cors", "git", "l4"}
        life.remove(*life.plugin("l4"))
        assert plugins(life) == {"files", "cors", "git"}

    def test_a_plugin_brings_the_plugin_that_it_needs(self, life: System) -> None:
        life.remove(*life.plugin("files"))
        configure(life, PLAIN)
        life.install(*life.plugin("fastcgi"))
        assert plugins(life) == {"files", "cors", "git", "fastcgi"}

    def test_upgrade_takes_the_core_and_all_plugins_in_one_transaction(self, life: System, caddy: Caddy) -> None:
        life.install(*life.plugin(*MODULES))
        assert plugins(life) == set(MODULES)
        configure(life, SITE)
        starts, relinked = life.starts(), relinks(life)
        life.use(caddy.newer)
        life.upgrade()
        assert life.run("caddy", "version").stdout.startswith("v2.11.9")
        assert plugins(life) == set(MODULES)
        assert "2 + 3 = 5" in get(life)
        assert life.starts() == starts + 1
        assert relinks(life) == relinked + 1
        assert life.run("caddy-plugins", "status").returncode == 0
        assert life.verify() == ""

    def test_a_plugin_that_the_configuration_needs_serves_on_after_its_removal(self, life: System) -> None:
        done = life.remove(*life.plugin("cors"))
        assert "when the configuration was checked: " in done.stdout
        assert "cors" in done.stdout
        assert "2 + 3 = 5" in get(life)
        assert plugins(life) == set(MODULES)
        assert life.run("caddy-plugins", "status", check=False).returncode == 1
        life.install(*life.plugin("cors"))
        assert life.run("caddy-plugins", "status").returncode == 0

    def test_a_changed_archive_is_refused_while_the_server_serves(self, life: System) -> None:
        configure(life, PLAIN)
        life.remove(*life.plugin("cors", "l4"))
        archive = life.sh("find /usr/lib/caddy/plugins/files -type f -size +1k | sort | head -1").strip()
        life.sh(f"cp -p {archive} /root/kept; printf x | dd of={archive} bs=1 seek=200 conv=notrunc status=none")
        done = life.install(*life.plugin("cors"))
        assert done.returncode == 0
        assert "plugin files" in done.stdout
        assert "plain core" in get(life)
        assert "cors" not in plugins(life)
        assert life.run("caddy-plugins", "status", check=False).returncode == 1
        life.sh(f"cp -p /root/kept {archive}; caddy-plugins apply")
        assert plugins(life) == set(MODULES) - {"l4"}

    def test_a_plugin_for_the_older_core_is_refused_while_the_server_serves(self, life: System, caddy: Caddy) -> None:
        package = newest(caddy.older, "caddy-plugin-l4", life.suffix)
        done = life.force(package)
        assert "plugin l4" in done.stdout
        assert "abi" in done.stdout.lower()
        assert "plain core" in get(life)
        assert plugins(life) == set(MODULES) - {"l4"}
        life.remove(*life.plugin("l4"))
        assert life.run("caddy-plugins", "status").returncode == 0

    def test_removing_the_last_plugin_puts_the_plain_core_back(self, life: System) -> None:
        starts = life.starts()
        life.remove(*life.plugin(*sorted(set(MODULES) - {"l4"})))
        assert plugins(life) == set()
        life.run("cmp", "/usr/lib/caddy/bin/caddy", "/usr/lib/caddy/bin/caddy-core")
        assert life.starts() == starts + 1
        assert "plain core" in get(life)

    def test_purge_leaves_nothing_but_data(self, life: System) -> None:
        life.purge()
        if "caddy-plugin-kit" in life.installed():
            life.remove("caddy-plugin-kit")
        # The data, and what the administrator put there to use the repository.
        kept = ("/var/lib/caddy", "/etc/apt/", "/etc/yum.repos.d/", "/etc/pki/")
        left = {path for path in life.files() if "caddy" in path.lower() and not path.startswith(kept)}
        # rpm has no purge: it keeps a configuration that was changed.
        assert left == (set() if life.suffix == "deb" else {"/etc/caddy", "/etc/caddy/Caddyfile.rpmsave"})
        assert not life.is_active()


def wait_for(system: System, path: str, text: str) -> str:
    """A page, once it has this text; its last state after half a minute."""
    page = ""
    for _ in range(60):
        page = get(system, path)
        if text in page:
            break
        system.run("sleep", "0.5")
    return page
