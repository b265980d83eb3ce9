"""A small installed machine: a directory with the programs that the target tool calls, entered by chroot.

Its core is a shell script and its plugins are lines of shell; the assemble step joins them. Keys and signatures are
made by signify-openbsd and openssl, so nothing here depends on our own signing code.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging_tool.drivers.base import Target
from packaging_tool.project.model import CoreSpec, Project, ServiceSpec
from packaging_tool.target import runtime

ABI = "ab" * 32
PROGRAMS = (
    *(
        "bash",
        "cat",
        "chgrp",
        "chmod",
        "chown",
        "chroot",
        "cp",
        "cut",
        "dash",
        "date",
        "dd",
        "df",
        "du",
        "getcap",
        "md5sum",
        "dpkg-divert",
        "dpkg-query",
        "env",
        "find",
        "flock",
    ),
    *(
        "grep",
        "head",
        "id",
        "ln",
        "mkdir",
        "mkfifo",
        "mktemp",
        "mount",
        "mv",
        "nproc",
        "openssl",
        "prlimit",
        "readlink",
        "rm",
        "rmdir",
        "sed",
        "setpriv",
        "setsid",
        "sleep",
    ),
    *("sort", "stat", "sync", "tail", "timeout", "touch", "tr", "true", "unshare", "xargs"),
)
PATH = "/usr/bin:/usr/sbin:/bin:/sbin"
# Debian's and that of EL and Fedora.
AWKS = [awk for awk in ("mawk", "gawk") if shutil.which(awk, path=PATH)]

CORE = """#!/bin/sh
# core
case ${1-} in version) ;; *) exit 64 ;; esac
echo core
"""

ASSEMBLE = """#!/bin/sh
set -eu
output=$1
shift
cat /usr/lib/fake/bin/fake-core >"$output"
for name; do
    if [ -e "$PLUGINS/$name/unlinkable" ]; then echo "symbol missing in $name" >&2; exit 1; fi
    if [ -e "$PLUGINS/$name/slow" ]; then sleep 1; fi
    cat "$PLUGINS/$name/code" >>"$output"
done
chmod 0755 "$output"
"""
LINKED = Target(assemble=ASSEMBLE)
PLAIN = Target(tree=True)
# Writes a list of what the server is to open, as for servers that read such a file.
ARRANGED = Target(
    tree=True,
    arrange="""#!/bin/sh
set -eu
set=$1
shift
for name; do
    if [ -e "$set/plugins/$name/unloadable" ]; then echo "nobody can load $name" >&2; exit 1; fi
    echo "load /usr/lib/fake/bin/serving/plugins/$name/code"
done >"$set/loader/list"
""",
)


def spec(check: str = "version") -> Project:
    """The project of the fake server."""
    core = CoreSpec(
        name="fake",
        version="1.0",
        summary="Fake server",
        license="MIT",
        homepage="https://example.org/fake",
        maintainer="Jo Doe <jo@example.org>",
        service=ServiceSpec(command="run", check=check, capabilities=("CAP_NET_BIND_SERVICE",)),
    )
    return Project(root=Path("/"), file=Path("/mkpkgs.toml"), core=core)


def build_base(root: Path) -> None:
    """Programs, libraries and the few files that a machine needs, in root."""
    add_programs(root, (*PROGRAMS, *AWKS))
    for directory in ("dev", "etc", "run", "tmp", "var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/lib", "usr/share"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for link in ("bin", "sbin"):
        (root / link).symlink_to("usr/bin")
    (root / "usr/bin/sh").symlink_to("dash")
    (root / "usr/bin/awk").symlink_to(AWKS[0])
    (root / "tmp").chmod(0o1777)
    os.mknod(root / "dev/null", 0o020666, os.makedev(1, 3))
    os.mknod(root / "dev/zero", 0o020666, os.makedev(1, 5))
    for device in ("null", "zero"):
        (root / "dev" / device).chmod(0o666)
    (root / "etc/passwd").write_text(
        "root:x:0:0::/:/bin/sh\nfake:x:990:990::/:/bin/false\n_fake-try:x:989:990::/:/bin/false\n"
        "visitor:x:991:991::/:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\nfake:x:990:\nvisitor:x:991:\n")
    (root / "var/lib/dpkg/status").touch()


def add_programs(root: Path, programs: Sequence[str]) -> None:
    """Programs of this system, and the libraries that they need."""
    copied: set[str] = set()
    for program in programs:
        found = shutil.which(program, path=PATH)
        assert found, program
        real = os.path.realpath(found)
        _copy(root, real, f"/usr/bin/{program}", copied)
        for library in re.findall(r"(/\S+)", subprocess.run(["ldd", real], capture_output=True, text=True).stdout):
            if library.startswith("/") and not library.endswith(":"):
                _copy(root, os.path.realpath(library), library, copied)


def _copy(root: Path, source: str, name: str, copied: set[str]) -> None:
    if name in copied:
        return
    copied.add(name)
    # A merged /usr, as on every release that packages are made for.
    target = root / re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", name).replace("/usr/sbin/", "/usr/bin/").lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    # It may be a hard link to that of another machine.
    target.unlink(missing_ok=True)
    shutil.copy2(source, target)
    for directory in ("lib", "lib64"):
        link = root / directory
        if name.startswith(f"/{directory}/") and not link.is_symlink():
            link.symlink_to(f"usr/{directory}")


class Key:
    """A key pair of signify-openbsd (`Ed`) or openssl (`EC`)."""

    def __init__(self, directory: Path, name: str, kind: str = "Ed") -> None:
        self.kind = kind
        self.public_file = directory / f"{name}.pub"
        self.secret = directory / f"{name}.sec"
        if kind == "Ed":
            _run(["signify-openbsd", "-G", "-n", "-p", self.public_file, "-s", self.secret])
        else:
            _run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.secret])
            der = _run(["openssl", "pkey", "-in", self.secret, "-pubout", "-outform", "DER"])
            blob = b"EC" + hashlib.sha256(der).digest()[:8] + der[-65:]
            self.public_file.write_text(f"untrusted comment: test\n{base64.b64encode(blob).decode()}\n")

    @property
    def public(self) -> bytes:
        return self.public_file.read_bytes()

    @property
    def id(self) -> bytes:
        return base64.b64decode(self.public.splitlines()[1])[2:10]

    def sign(self, manifest: Path) -> None:
        """Put the signature beside the manifest."""
        signature = manifest.with_name(f"{manifest.name}.sig")
        if self.kind == "Ed":
            _run(["signify-openbsd", "-S", "-s", self.secret, "-m", manifest, "-x", signature])
        else:
            raw = _run(["openssl", "dgst", "-sha256", "-sign", self.secret, manifest])
            blob = b"EC" + self.id + raw
            signature.write_text(f"untrusted comment: test\n{base64.b64encode(blob).decode()}\n")


class Machine:
    """An installed machine with the core `fake` and no plugin; installed: root has the core already."""

    def __init__(
        self, root: Path, key: Key, shell: Sequence[str], target: Target = LINKED, *, installed: bool = False
    ) -> None:
        self.root, self.key, self.shell = root, key, shell
        self.bin = root / "usr/lib/fake/bin"
        self.program, self.core = self.bin / "fake", self.bin / "fake-core"
        self.plugins, self.share = root / "usr/lib/fake/plugins", root / "usr/share/fake"
        self.working_set, self.failed_set = self.bin / "serving/working-set", self.bin / "failed-set"
        if not installed:
            self._install_core(target)

    def _install_core(self, target: Target) -> None:
        keys = {"fake.pub": self.key.public}
        for entry in sorted(runtime.core_entries(spec(), target, (ABI,), keys), key=lambda e: e.path):
            path = self.root / entry.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.type == "directory":
                path.mkdir(exist_ok=True)
            elif entry.type == "symlink":
                path.symlink_to(entry.target)
            elif entry.content is not None:
                path.write_bytes(entry.content.read())
            if entry.type in ("file", "directory"):
                path.chmod(entry.mode)
        os.chown(self.plugins, 0, 990)
        self.core.write_text(CORE)
        self.core.chmod(0o755)
        self.record("fake", "1.0-1")
        self.list_core()

    def list_core(self) -> None:
        """Write into dpkg's database what the core's package brought, keys and lists of revoked ones too."""
        lib = self.root / "usr/lib/fake"
        steps = (lib / step for step in ("assemble", "arrange") if (lib / step).exists())
        places = (self.share, lib / "bin/fake-core", self.root / "etc/fake/plugins.conf", *steps)
        self.list_files(
            "fake", sorted(path for place in places for path in _files(place) if path.parent.name != "plugins")
        )

    def trust(self, name: str, data: bytes) -> None:
        """Put a key, or the list of revoked ones, onto the machine as the core's package would."""
        (self.share / "keys" / name).write_bytes(data)
        self.list_core()

    def revoke(self, *keys: Key) -> None:
        """Put the ids of keys into the administrator's list of revoked ones."""
        (self.root / "etc/fake/keys.d/revoked").write_text("".join(f"{key.id.hex()}\n" for key in keys))

    def record(self, package: str, version: str, status: str = "install ok installed") -> None:
        """Write a package into dpkg's database, in place of what it said of it before."""
        self.forget(package)
        with (self.root / "var/lib/dpkg/status").open("a") as file:
            file.write(
                f"Package: {package}\nStatus: {status}\nArchitecture: all\nVersion: {version}\n"
                "Maintainer: Jo Doe <jo@example.org>\nDescription: test\n\n"
            )

    def forget(self, package: str) -> None:
        database = self.root / "var/lib/dpkg/status"
        stanzas = [s for s in database.read_text().split("\n\n") if s and not s.startswith(f"Package: {package}\n")]
        database.write_text("".join(f"{stanza}\n\n" for stanza in stanzas))

    def list_files(self, package: str, paths: Sequence[Path]) -> None:
        """Write into dpkg's database what a package consists of, as its files are now."""
        info = self.root / "var/lib/dpkg/info"
        names = [f"/{path.relative_to(self.root)}" for path in paths]
        parents = {str(parent) for name in names for parent in Path(name).parents}
        listed = sorted(parents | set(names))
        (info / f"{package}.list").write_text("".join(f"{'/.' if name == '/' else name}\n" for name in listed))
        sums = [(hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), path) for path in paths]
        text = "".join(f"{digest}  {path.relative_to(self.root)}\n" for digest, path in sums)
        (info / f"{package}.md5sums").write_text(text)

    def install(
        self,
        name: str,
        *,
        files: dict[str, str] | None = None,
        version: str = "1.0-1",
        abi: str = ABI,
        core: str = "fake",
        order: int = 50,
        optional: bool = False,
        needs: Sequence[str] = (),
        key: Key | None = None,
        on_record: str | None = None,
    ) -> None:
        """Put a plugin onto the machine as its package would."""
        payload = {"code": f"echo plugin {name}\n"} if files is None else files
        base = self.plugins / name
        for path, text in payload.items():
            (base / path).parent.mkdir(parents=True, exist_ok=True)
            (base / path).write_text(text)
        lines = [
            _first_line(payload),
            f"core {core}",
            f"abi {abi}",
            f"plugin {name}",
            f"package fake-plugin-{name} {version}",
            f"order {order}",
            *(["optional"] if optional else []),
            *(f"needs {need}" for need in sorted(needs)),
            *(f"file {hashlib.sha256(payload[path].encode()).hexdigest()}  {path}" for path in sorted(payload)),
        ]
        self.write_manifest(name, "".join(f"{line}\n" for line in lines).encode().decode("latin-1"), key)
        self.record(f"fake-plugin-{name}", on_record or version)
        signature = self.manifest(name).with_suffix(".manifest.sig")
        self.list_files(f"fake-plugin-{name}", [self.manifest(name), signature, *(base / path for path in payload)])

    def install_kit(self, files: dict[str, str], key: Key | None = None) -> None:
        """Put a kit onto the machine as its package would. files: text by path."""
        head = f"{_first_line(files)}\ncore fake\nabi {ABI}\nkit\npackage fake-plugin-kit 1.0-1\n"
        for path, text in files.items():
            place = self.root / "usr/lib/fake/kit" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        listed = (f"file {hashlib.sha256(files[path].encode()).hexdigest()}  {path}\n" for path in sorted(files))
        self.write_manifest("kit", head + "".join(listed), key)
        self.record("fake-plugin-kit", "1.0-1")

    def manifest(self, name: str) -> Path:
        return self.share / "kit.manifest" if name == "kit" else self.share / f"plugins/{name}.manifest"

    def write_manifest(self, name: str, text: str, key: Key | None = None) -> None:
        """Write and sign any text as a plugin's manifest."""
        self.manifest(name).write_bytes(text.encode("latin-1"))
        (key or self.key).sign(self.manifest(name))

    def remove(self, name: str) -> None:
        shutil.rmtree(self.plugins / name)
        for path in self.share.glob(f"plugins/{name}.manifest*"):
            path.unlink()
        for path in (self.root / "var/lib/dpkg/info").glob(f"fake-plugin-{name}.*"):
            path.unlink()
        self.forget(f"fake-plugin-{name}")

    def command(self, *arguments: str, user: str = "root") -> list[str | Path]:
        return ["chroot", f"--userspec={user}:{user}", self.root, *self.shell, "/usr/bin/fake-plugins", *arguments]

    def tool(self, *arguments: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        """Call the target tool; stdout and stderr come back joined in stdout."""
        return subprocess.run(
            self.command(*arguments, user=user), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )

    def serves(self) -> list[str]:
        """What the working program prints: `core` and its plugins, in order."""
        done = subprocess.run(["chroot", self.root, "/usr/bin/fake", "version"], capture_output=True, text=True)
        return done.stdout.splitlines()

    def leftovers(self) -> list[str]:
        """Files of apply that should not have stayed."""
        known = {"fake", "fake-core", "working-set", "failed-set", "serving", "sets"}
        sets = [path for path in self.bin.glob("sets/*") if path != (self.bin / "serving").resolve()]
        return [path.name for path in (*self.bin.iterdir(), *sets) if path.name not in known]


def _first_line(paths: Iterable[str]) -> str:
    plain = all(re.fullmatch(r"(?!-)[A-Za-z0-9._+/-]+", path) for path in paths)
    return f"mkpkgs-manifest {1 if plain else 2}"


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        return [path for path in place.rglob("*") if path.is_file()]
    return [place] if place.is_file() else []


def _run(argv: Sequence[str | Path]) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True).stdout
