"""Each repair that a package manager does, and each that needs a booted system, followed to the letter."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.machine import Done
from tests.target import packages
from tests.target.machine import Key
from tests.target.repairs import Row, letter, repair_of
from tests.target.server import Server
from tests.tiers import at_night

pytestmark = pytest.mark.acceptance

P, K, S, U = "/usr/lib/demo/plugins", "/usr/lib/demo/kit", "/usr/share/demo", "/usr/lib/systemd/system"
M = f"{S}/plugins/git.manifest"
PLUGINS = {name: f'plugins="$plugins {name}"\n' for name in ("git", "cors", "user")}
NEEDS = {"user": ("git",)}
KIT = {"link": b"#!/bin/sh\n: links\n"}
POSTINST = "/var/lib/dpkg/info/demo.postinst"
# A new set is to be made.
NEW = "demo-plugins disable cors || :"
AGAIN = "demo-plugins enable cors"

ROWS: dict[str, Row] = {
    "a changed file": Row(
        f"echo >>{P}/git/code", "git/code is not what", ("compare.awk: is not what its manifest says",)
    ),
    "a missing file": Row(f"rm {P}/git/code", "git/code is missing", ("compare.awk: is missing",)),
    "a directory in the place of a file": Row(
        f"rm {P}/git/code; mkdir {P}/git/code; : >{P}/git/code/x",
        "git/code",
        ("compare.awk: is a directory",),
        {"remove it": f"rm -r {P}/git/code"},
    ),
    "a directory in the place of a manifest": Row(
        f"rm {M}; mkdir {M}", "is a directory", ("survey.awk: is a directory",), {"remove it": f"rmdir {M}"}
    ),
    "a link in the place of a file": Row(
        f"mv {P}/git/code /tmp; ln -s /tmp/code {P}/git/code",
        "git/code is a symbolic link",
        ("survey.awk: is a symbolic link", "survey.awk: return name =="),
        {"remove it": f"rm {P}/git/code"},
    ),
    "a pipe in the place of a file": Row(
        f"rm {P}/git/code; mkfifo {P}/git/code",
        "git/code is neither a file",
        ("survey.awk: is neither a file nor a directory",),
        {"remove it": f"rm {P}/git/code"},
    ),
    "a changed manifest": Row(
        f"sed -i '/^file/s/[0-9a-f]\\{{8\\}}/00000000/' {M}",
        "the signature of its manifest does not fit",
        ("trust.sh: does not fit",),
    ),
    "a broken manifest": Row(f"sed -i 's/^order.*/order x/' {M}", "line 6: is not: order", ("parse.awk: reason",)),
    "a broken signature": Row(f"echo x >{M}.sig", "manifest.sig ", ("trust.awk: .manifest.sig",)),
    "an empty signature": Row(f": >{M}.sig", "manifest.sig is empty", ()),
    "a missing signature": Row(f"rm {M}.sig", "the manifest is not signed", ("survey.awk: is missing: the manifest",)),
    "an empty manifest": Row(f": >{M}", "manifest is empty", ('survey.awk: base " is empty"',)),
    "a huge manifest": Row(f"truncate -s 17M {M}", "larger than 16 MB", ('survey.awk: base " is larger than',)),
    "a huge signature": Row(f"truncate -s 70K {M}.sig", "larger than 64 kB", ("survey.awk: .sig is larger than",)),
    "no manifest": Row(f"rm {M} {M}.sig", "manifest is missing, though", ("verify.sh: is missing, though",)),
    "no record": Row(
        {
            "deb": f"cp -a {P}/git {M} {M}.sig /tmp; dpkg -r --force-depends demo-plugin-git || :; "
            f"cp -a /tmp/git {P}; cp -a /tmp/git.manifest* {S}/plugins",
            "rpm": "rpm -e --justdb --nodeps demo-plugin-git",
        },
        "is not on record: its files",
        ("judge.awk: is not on record",),
    ),
    "half installed": Row(
        "sed -i '/^Package: demo-plugin-git$/{n;s/ok inst/reinstreq half-inst/}' /var/lib/dpkg/status",
        "demo-plugin-git is half-installed",
        ("judge.awk: is half-installed",),
        family="deb",
    ),
    "dpkg that was killed in the middle": Row(
        f"dpkg --unpack /srv/repo/demo.deb; cp {POSTINST} /tmp; sed -i '2i kill -9 $PPID' {POSTINST}; "
        f"dpkg --configure demo || mv /tmp/demo.postinst {POSTINST}",
        "the package demo is half-configured",
        ("unfinished.sh: is ",),
        asks="status",
        family="deb",
    ),
    "a journal that a killed dpkg left": Row(
        "sed -n '/^Package: demo$/,/^$/p' /var/lib/dpkg/status | sed '/^$/d' >/var/lib/dpkg/updates/0000",
        "dpkg was ended in the middle of a change of demo",
        ("unfinished.sh: dpkg was ended",),
        asks="doctor",
        family="deb",
        after="apt-get check",
    ),
    "rpm that was killed in the middle": Row(
        "rpm -i --force --nodeps --nosignature --noscripts /srv/newer/demo-plugin-git.rpm /srv/newer/demo.rpm",
        "two versions on record of demo, demo-plugin-git",
        ("unfinished.sh: rpm was ended",),
        asks="status",
        family="rpm",
        after="test $(rpm -q demo demo-plugin-git | grep -c 1.1-1) = 2; rpm -V demo demo-plugin-git; "
        "FORCE /srv/repo/demo.rpm /srv/repo/demo-plugin-git.rpm",
    ),
    "a replay": Row(
        "cp -a /srv/older/usr/. /usr",
        "a replay",
        ("judge.awk: a replay",),
    ),
    "an older ABI": Row(
        "FORCE /srv/other/demo-plugin-git.*", "it was built for another demo", ("judge.awk: it was built for another",)
    ),
    "a needed plugin is gone": Row(
        {"deb": "dpkg -r --force-depends demo-plugin-git || :", "rpm": "rpm -e --nodeps demo-plugin-git || :"},
        "it needs the plugin git, which is not there",
        ("resolve.awk: which is not there",),
    ),
    "no trust": Row(f"echo x >{S}/trust", "trust says neither", ("verify.sh: says neither",)),
    "no ABI": Row(f"echo x >{S}/abi", "abi does not hold an ABI", ("verify.sh: does not hold an ABI",)),
    "a directory in the place of the ABI": Row(
        f"rm {S}/abi; mkdir {S}/abi", "abi is a directory", (), {"remove it": f"rmdir {S}/abi"}
    ),
    "a file of the core that others could write and that is another one now": Row(
        f"echo x >>{S}/trust; chmod 0666 {S}/trust",
        "trust can be written by others than root, and it is not what the package demo brought",
        (),
        asks="doctor",
        after=f"test $(stat -c %a {S}/trust) = 644",
    ),
    "a broken key of the core": Row(
        f"for key in {S}/keys/*.pub; do echo x >$key; done", "[.]pub ", ('trust.awk: REINSTALL " " CORE',)
    ),
    "a link in the place of a key": Row(
        f"for key in {S}/keys/*.pub; do mv $key /tmp/key; ln -s /tmp/key $key; done",
        "pub is a symbolic link",
        (),
        {"remove it": f"rm {S}/keys/*.pub"},
    ),
    "a file that lost its package": Row(
        f"sed -i '\\,^{S}/trust$,d' /var/lib/dpkg/info/demo.list",
        "trust is no file of the package demo: it belongs to no package",
        ("trust.sh: it belongs to no package",),
        family="deb",
    ),
    "a key that a plugin brings": Row(
        "FORCE /srv/stray/demo-plugin-stray.*",
        "it belongs to the package demo-plugin-stray",
        ("trust.sh: it belongs to the package",),
        {"remove that package": "PURGE demo-plugin-stray"},
    ),
    "a key that a plugin brings beside those of the administrator": Row(
        "FORCE /srv/straying/demo-plugin-stray.*",
        "belongs to the package demo-plugin-stray: below",
        ("owners.awk: remove that package",),
        {"remove that package": "PURGE demo-plugin-stray"},
    ),
    "a changed kit": Row(f"echo >>{K}/link", "kit/link is not what", ()),
    "a kit by a key of the administrator": Row(
        "cp /srv/foreign.pub /etc/demo/keys.d; FORCE /srv/foreign/demo-plugin-kit.*",
        "only a key of the package demo vouches for a kit",
        ("trust.sh: vouches for a kit", "trust.sh: $REINSTALL $CORE-plugin-kit"),
    ),
    "a step of the driver that leaves no program": Row(
        f"printf '#!/bin/sh\\n' >/usr/lib/demo/assemble; {NEW}",
        "there is no program",
        ("apply.sh: there is no program",),
        after=AGAIN,
    ),
    "a step of the driver that leaves a link": Row(
        f"printf '#!/bin/sh\\nln /usr/lib/demo/bin/demo-core $TMPDIR/x; cp -l $1 $1.x; echo >$1; ln $1 $1.y\\n' "
        f">/usr/lib/demo/assemble; {NEW}",
        "more than plain files",
        ("apply.sh: more than plain files",),
        after=AGAIN,
    ),
    "no user that tries": Row(
        f"userdel _demo-try; {NEW}", "_demo-try does not exist", ("confine.sh: does not exist",), after=AGAIN
    ),
    "a user that tries with the number of the service": Row(
        f"usermod -o -u $(id -u demo) _demo-try; {NEW}",
        "_demo-try has the number of demo",
        ("confine.sh: has the number of",),
        after=AGAIN,
    ),
    "a missing unit that tries": Row(
        f"rm {U}/demo-try.service; systemctl daemon-reload; {NEW}",
        "demo-try.service is missing",
        ("units.sh: is missing",),
        after=AGAIN,
    ),
    "a missing unit": Row(
        f"rm {U}/demo.service", "demo.service is missing", ("doctor.sh: $UNIT is missing",), asks="doctor"
    ),
    "a missing watch": Row(
        f"rm {U}/demo-watch.service", "demo-watch.service is missing", ("doctor.sh: no set with which",), asks="doctor"
    ),
    "a missing apply at boot": Row(
        f"rm {U}/demo-apply.service",
        "demo-apply.service is missing",
        ("doctor.sh: is missing, so no apply",),
        asks="doctor",
    ),
    "a masked watch": Row(
        "systemctl mask demo-watch.service", "demo-watch.service is masked", ("doctor.sh: is masked",), asks="doctor"
    ),
    "a service that does not start at boot": Row(
        "systemctl disable demo", "will not start at boot", ("doctor.sh: will not start at boot",), asks="doctor"
    ),
    "a restart that waits": Row(
        "echo restart = defer >/etc/demo/plugins.conf; demo-plugins disable cors",
        "still runs the old set",
        ("questions.sh: still runs the old set", "restart.sh: way_to"),
        asks="status",
        after=f": >/etc/demo/plugins.conf; {AGAIN}",
    ),
    "a masked service": Row(
        "systemctl mask demo; demo-plugins disable cors",
        "still runs the old set",
        ("restart.sh: since it is masked",),
        asks="status",
        after=AGAIN,
    ),
    "a service without its user": Row(
        "systemctl stop demo; userdel demo; systemctl start demo || :",
        "the user demo does not exist",
        ("container.sh: systemd-sysusers",),
        asks="status",
    ),
    "a service of a user that nobody made": Row(
        "mkdir /etc/systemd/system/demo.service.d; "
        "printf '[Service]\\nUser=ghost\\n' >/etc/systemd/system/demo.service.d/own.conf; "
        "systemctl daemon-reload; systemctl restart demo || :",
        "the user ghost does not exist",
        ("container.sh: make the user",),
        {
            "make the user, or take User= out of /etc/systemd/system/demo.service.d/own.conf": "rm -r "
            "/etc/systemd/system/demo.service.d"
        },
        asks="status",
    ),
}


class Mended:
    """A booted machine with packages that are installed, and all of them in a repository of its own."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server, self.family, self.machine = server, server.family, server.machine
        self.directory = directory
        directory.mkdir()
        self.build("repo")
        foreign = Key(directory, "foreign")
        self.machine.write("/srv/foreign.pub", foreign.public)
        self.build("foreign", key=foreign)
        self.build("other", version="0.5", abi="cd" * 32)
        self.build("newer", version="1.1")
        for name, place in (("stray", f"{S}/keys"), ("straying", "/etc/demo/keys.d")):
            self.build(name, plugins={"stray": ":\n"}, brings={f"{place}/stray.pub": foreign.public})
        older = packages.write(
            directory / "older", "deb", server.key, version="0.9", plugins=PLUGINS, needs=NEEDS, kit=KIT
        )
        subprocess.run(["dpkg-deb", "-x", older["demo-plugin-git"], self.machine.path("/srv/older")], check=True)
        self.publish()
        server.install(*(f"/srv/repo/{path.name}" for path in self.machine.path("/srv/repo").glob("demo*")))

    def build(self, name: str, key: Key | None = None, **words: Any) -> None:
        """Packages below /srv."""
        words = {"plugins": PLUGINS, "needs": NEEDS, "kit": KIT, **words}
        built = packages.write(self.directory / name, self.family, key or self.server.key, **words)
        for package, path in built.items():
            self.machine.put(path, f"/srv/{name}/{package}.{self.family}")

    def publish(self) -> None:
        """Make what is in /srv/repo the only repository."""
        where = self.machine.path("/srv/repo")
        if self.family == "deb":
            listed = subprocess.run(["apt-ftparchive", "packages", "."], cwd=where, capture_output=True, check=True)
            (where / "Packages").write_bytes(listed.stdout)
            self.machine.write("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/repo ./\n")
            self.machine.sh("rm -f /etc/apt/sources.list.d/*; apt-get update")
        else:
            subprocess.run(["createrepo_c", "-q", where], check=True)
            self.machine.sh("rm -f /etc/yum.repos.d/*")
            self.machine.write("/etc/yum.repos.d/own.repo", "[own]\nname=own\nbaseurl=file:///srv/repo\ngpgcheck=0\n")

    def sh(self, text: str) -> Done:
        """Shell, in which a person answers the package manager's questions with yes."""
        force, purge = {
            "deb": ("dpkg --force-depends --force-downgrade -i", "dpkg -P"),
            "rpm": ("rpm -U --force --nodeps --nosignature", "rpm -e"),
        }[self.family]
        aliases = f"alias apt-get='apt-get -qy' dnf='dnf -y' FORCE='{force}' PURGE='{purge}'"
        return self.machine.run("sh", "-ec", f"{aliases}\n{text}", check=False)

    def follow(self, row: Row) -> str:
        """Bring the fault and follow the repair. Gives what went wrong, "" if nothing did."""
        fault = row.fault[self.family] if isinstance(row.fault, Mapping) else row.fault
        assert isinstance(fault, str)
        # apt takes dpkg's records of the same second and the same length for those that it knows.
        brought = self.sh(f"{fault}\nrm -f /var/cache/apt/*pkgcache.bin")
        try:
            repair = repair_of(self.machine.run("demo-plugins", row.asks, check=False).stdout, row.says)
        except AssertionError as error:
            return f"no such message: {error}\n{brought.stdout}"
        steps = [self.sh(letter(repair, row.person))]
        for question in ("status", row.asks) if row.asks == "doctor" else ("status",):
            steps.append(self.machine.run("demo-plugins", question, check=False))
        if row.after:
            steps.append(self.sh(row.after))
        if any(step.returncode for step in steps):
            return "\n".join([repair, *(f"status {step.returncode}: {step.stdout}" for step in steps)])
        return ""


@pytest.mark.parametrize("server", ["deb", at_night("rpm")], indirect=True)
def test_repairs_work_to_the_letter(server: Server, tmp_path: Path) -> None:
    machine = Mended(server, tmp_path / "mended")
    assert server.status() == 0
    for name, row in ROWS.items():
        if row.family in ("", server.family):
            assert machine.follow(row) == "", name
            assert machine.machine.run("demo", "version").stdout.split() == ["demo", "cors", "git", "user"], name
