"""Projects drawn by a seed: names, trees, owners, modes, links and configuration as the project file may have them."""

from __future__ import annotations

import os
import posixpath
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging_tool import toml

# Names that are no source to be packed alone: with these, files are found by a pattern or lie in a plugin's folder.
WILD = (
    *(
        "a b",
        "é",
        "e\u0301",
        "日本.txt",
        "it's",
        '"q"',
        "$(id)",
        "`id`",
        "$HOME",
        "${x}",
        "-rf",
        "--",
        "~",
        "#x",
        "%name",
    ),
    *(
        "%{name}",
        "%%",
        "a%20b",
        "[slug].html",
        "{a,b}",
        "*",
        "?",
        "a;b",
        "a&b",
        "a|b",
        "<b>",
        "@x",
        "a=b,c",
        ":",
        "a:b",
    ),
    *("x.dpkg-new", "x.rpmsave", "x.dpkg-tmp", " lead", "trail ", "x" * 246, "é" * 123),
    *("CON", "a.pyc", "lost+found", "core", "!", "^", "\U0001f600", "plugins", "manifest"),
)
# Most of these cannot be carried, or are not found by a pattern that does not name them; mkpkgs says so.
HOPELESS = (
    *(".hidden", "...", "..x", "x~"),
    "a\nb",
    "a\tb",
    "\x7f",
    "\x1b[0m",
    "back\\slash",
    "\udcff",
    "\u202ertl",
    "\u00a0",
    "a\u200db",
    "\u2028x",
)
# What the first format of manifests can name.
SIGNED = (
    *(
        "a",
        "run.sh",
        "A_B",
        "a+b",
        ".hidden",
        "...",
        "..x",
        "x.dpkg-new",
        "x.rpmsave",
        "x" * 246,
        "a.pyc",
        "lost+found",
    ),
    *("core", "_", "+", "a-", "0", "plugins", "manifest", "greeting", "working-set", "serving"),
)
# What a path in the project file may have.
NAMES = (
    "data",
    "a",
    "é",
    "x%y",
    "$(z)",
    "it's",
    '"q"',
    "a;b",
    "a&b",
    "~",
    "#1",
    "@2x",
    "a=b,c",
    "+",
    ":",
    "-x",
    "<b>",
    "x.dpkg-new",
)
MODES = ("", "", "0644", "0640", "0600", "0755", "0750", "0444", "400", "0664", "0660", "0770", "0555", "0000", "111")
FOLDERS = ("", "0755", "0750", "0700", "0770", "0555", "0775")
PROGRAM = "#!/bin/sh\ncase ${1-} in --version | --check) exit 0 ;; esac\nexec sleep 1000000\n"
ACCOUNTS = ("srv", "_daemon1", "a-b_c", "x" * 31)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must lie at a path. what: bytes of a file, target of a link."""

    kind: str
    what: bytes = b""
    mode: int = 0
    owner: str = "root"
    group: str = "root"


@dataclass(slots=True)
class Drawn:
    """A project, what must be on the target by path, ghosts, and plugins in the order in which the server has them."""

    name: str
    driver: str
    raw: dict[str, Any] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    ghosts: dict[str, Wanted] = field(default_factory=dict)
    plugins: list[str] = field(default_factory=list)
    masks: tuple[int, int] = (0o022, 0o022)
    directly: bool = True
    home: str = ""


class Drawing:
    """Draws the project of a seed into a directory that is to hold the project file."""

    def __init__(self, seed: int, root: Path) -> None:
        self.dice = random.Random(f"packed {seed}")  # noqa: S311 # not for secrets
        self.seed, self.root = seed, root
        self.count = 0
        self.of_plugin = False
        core = self.dice.choice(("desk", "x0", "a.b", "9p", "tool-2.0", "zz-", "n" * 64, "py.x", "0-0"))
        self.made = Drawn(f"{core[:60]}{seed}"[:64] if len(core) < 64 else core, self.dice.choice(("files", "exec")))

    def draw(self) -> Drawn:
        """Draw it."""
        made, dice = self.made, self.dice
        self.root.mkdir(parents=True)
        self._core()
        made.masks = (dice.choice((0o022, 0o022, 0o077)), dice.choice((0o022, 0o022, 0o077)))
        made.directly = dice.random() < 0.7
        for _ in range(dice.choice((0, 1, 2, 4, 8))):
            self._entry(self.raw_core)
        for number in range(dice.choice((1, 1, 2, 3))):
            self._plugin(number)
        (self.root / "mkpkgs.toml").write_text(toml.dumps(made.raw))
        orders = {name: table.get("order", 50) for name, table in made.raw["plugin"].items()}
        made.plugins = sorted(orders, key=lambda name: (orders[name], name))
        return made

    @property
    def raw_core(self) -> dict[str, Any]:
        """The table of the core."""
        table: dict[str, Any] = self.made.raw["core"]
        return table

    def _core(self) -> None:
        made, dice = self.made, self.dice
        name = made.name
        core: dict[str, Any] = {
            "name": name,
            "version": dice.choice(("1.0", "0", "2.0~rc.1", "1+git20260101.abc", "10.00")),
            "summary": "Stands for a server",
            "license": "Apache-2.0",
            "homepage": "https://example.org/",
            "maintainer": "Jo Doe <jo@example.org>",
            "architectures": [dice.choice(("all", "all", "amd64"))],
            "driver": made.driver,
            "program": "program",
            "trust": dice.choice(("signature", "signature", "distribution")),
            "compression": dice.choice(({}, {}, {"deb": "xz", "rpm": "gzip"}, {"deb": "none", "rpm": "none"})),
            made.driver: {"format" if made.driver == "files" else "protocol": dice.choice(("1", "v2 beta", "é"))},
        }
        if dice.random() < 0.2:
            core |= {"release": "2.el", "epoch": 3}
        if dice.random() < 0.3:
            core["config-directory"] = dice.choice((f"/etc/xdg/{name}", f"/etc/A@{name}_+=,.d", f"/etc/{name}/v1"))
        if dice.random() < 0.3:
            core["plugins-directory"] = f"/usr/lib/{name}/{dice.choice(('modules', 'x+y', 'X_1.d'))}"
        self.user = self.group = "root"
        if "+" not in name and dice.random() < 0.6:
            core["service"] = {"command": "--serve", "check": "--check"}
            self.user = self.group = name
            if len(name) > 31 or set(name) & set("+.") or name[0].isdigit() or dice.random() < 0.3:
                core["user"] = self.user = self.group = dice.choice(ACCOUNTS)
            if dice.random() < 0.2:
                core["user-group"] = self.group = dice.choice(("staff1", "_grp"))
            if dice.random() < 0.3:
                core["service"]["home"] = f"/var/lib/{dice.choice(('deep/er', 'A@b', ''))}{name}"
        made.raw = {"core": core, "plugin": {}}
        self._write("program", PROGRAM.encode(), 0o755)
        home = core.get("service", {}).get("home") or f"/var/lib/{name}"
        made.home = home if "service" in core else ""
        etc = core.get("config-directory") or f"/etc/{name}"
        self.roots = (
            *(
                f"/usr/share/{name}",
                f"/usr/share/{name}",
                f"/usr/lib/{name}",
                f"/usr/share/doc/{name}",
                f"/usr/share/own/{name}",
            ),
            *(etc, etc, f"/etc/own/{name}", home, f"/var/log/{name}", f"/var/cache/{name}", f"/var/spool/{name}"),
            *(
                "/usr/bin",
                "/usr/share/man/man1",
                "/usr/share/man/de/man5",
                "/usr/libexec",
                "/etc/cron.d",
                "/etc/default",
            ),
            *("/usr/lib/python3/dist-packages", "/usr/share/applications", "/etc/logrotate.d"),
        )
        # Directories of the project, in which other packages may have files too.
        self.folders: list[str] = []

    def _write(self, place: str, content: bytes, mode: int = 0o644) -> None:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)

    def _content(self) -> bytes:
        size = self.dice.choice((0, 1, 20, 20, 300, 5000, 70_000))
        return (f"{self.seed} {self.count}\n".encode() * (size // 4 + 1))[:size]

    def _free(self, path: str) -> bool:
        """Whether nothing is at or below a path, and nothing but directories above it."""
        wanted = {**self.made.wanted, **self.made.ghosts}
        above = path
        while (above := posixpath.dirname(above)) != "/":
            if above in wanted and wanted[above].kind != "directory":
                return False
        return path not in wanted and not any(other.startswith(f"{path}/") for other in wanted)

    def _path(self, names: tuple[str, ...] = NAMES) -> str:
        """A place for something, in a root of the draw's own or in the system's."""
        while True:
            root = self.dice.choice((*self.roots, *self.folders, *self.folders))
            # What lies in the system's own directories must be nobody else's.
            last = f"{self.dice.choice(names)}{self.made.name[:20]}.{self.count}"
            folders = [f"f{self.dice.choice(names)}" for _ in range(self.dice.choice((0, 0, 1, 3)))]
            if "/man/" in root:
                folders, last = [], f"{self.made.name[:20]}-{self.count}.{root[-1]}"
            path = "/".join((root, *folders, last))
            self.count += 1
            if self._free(path):
                return path

    def _owned(self, wanted: Wanted, path: str, spec: dict[str, Any]) -> Wanted:
        """With an owner and a group of those that may be."""
        owner = self.dice.choice(("root", "root", self.user))
        group = self.dice.choice(("root", "root", self.group, "adm"))
        above = [one for place, one in self.made.wanted.items() if path.startswith(f"{place}/")]
        # A .deb gives no file away below what others can change by then: docs/reference.md.
        closed = not self.of_plugin and not any(one.group == "adm" and one.mode & 0o020 for one in above)
        if above and wanted.kind == "file" and not closed:
            owner, group = "root", self.dice.choice(("root", "adm"))
        spec |= {"owner": owner} if owner != "root" else {}
        spec |= {"group": group} if group != "root" else {}
        return Wanted(wanted.kind, wanted.what, wanted.mode, owner, group)

    def _entry(self, table: dict[str, Any]) -> None:
        """One entry of the list of files."""
        path = self._path()
        var = path.startswith("/var/")
        kinds = (
            ("directory", "directory", "ghost")
            if var
            else ("file", "file", "file", "tree", "symlink", "directory", "doc")
        )
        kind = self.dice.choice(kinds)
        spec: dict[str, Any] = {"path": path}
        if kind == "symlink":
            self._link(path, spec)
        elif kind in ("directory", "ghost"):
            mode = self.dice.choice(FOLDERS if kind == "directory" else MODES)
            default = 0o755 if kind == "directory" else 0o644
            spec |= {"type": kind, **({"mode": mode} if mode else {})}
            wanted = self._owned(Wanted(kind, mode=int(mode, 8) if mode else default), path, spec)
            (self.made.wanted if kind == "directory" else self.made.ghosts)[path] = wanted
            self.folders += [path] if kind == "directory" else []
        else:
            self._files(path, spec, many=kind == "tree")
            if path.startswith("/etc/"):
                spec["type"] = "config"
            elif kind == "doc":
                spec["type"] = "doc"
        if spec:
            table.setdefault("file", []).append(spec)

    def _link(self, path: str, spec: dict[str, Any]) -> None:
        places = [*self.made.wanted, "/nowhere", "/usr/bin/env"]
        to = self.dice.choice(places)
        target = self.dice.choice((to, posixpath.relpath(to, posixpath.dirname(path)), "a b/../x", ".", "it's"))
        if "/man/" in path:
            target = f"other.{path[-1]}"
        spec |= {"type": "symlink", "target": target}
        self.made.wanted[path] = Wanted("symlink", target.encode())

    def _files(self, path: str, spec: dict[str, Any], *, many: bool) -> None:
        """One file at a path, one that keeps its name, or many that a pattern finds."""
        dice = self.dice
        folder = f"src/{self.count}"
        mode = dice.choice(MODES)
        spec |= {"mode": mode} if mode else {}
        names = [posixpath.basename(path)]
        if many and "/man/" not in path:
            names = dice.sample(WILD, dice.choice((1, 2, 5, 12)))
            names += [dice.choice(HOPELESS)] if dice.random() < 0.05 else []
            spec |= {"path": f"{path}/", "source": f"{folder}/*"}
        elif dice.random() < 0.5:
            spec |= {"source": f"{folder}/in put"}
        else:
            spec |= {"path": f"{posixpath.dirname(path)}/", "source": f"{folder}/{names[0]}"}
        owned = self._owned(Wanted("file"), path, spec)
        for name in names:
            executable = dice.random() < 0.3
            content = self._content()
            place = f"{folder}/{name if spec['source'] != f'{folder}/in put' else 'in put'}"
            self._write(place, content, 0o755 if executable else 0o644)
            default = 0o755 if executable else 0o644
            final = f"{path}/{name}" if spec["path"].endswith("/") and many and "/man/" not in path else path
            # Python's own patterns find hidden files too.
            self.made.wanted[final] = Wanted(
                "file", content, int(mode, 8) if mode else default, owned.owner, owned.group
            )

    def _plugin(self, number: int) -> None:
        made, dice = self.made, self.dice
        self.of_plugin = True
        name = dice.choice(("git", "0", "a-b-c", "x" * 62, "auth2")) + str(number)
        table: dict[str, Any] = {"summary": "Does something"}
        if dice.random() < 0.4:
            table["order"] = dice.choice((0, 1, 9999, 50))
        if made.raw["plugin"] and dice.random() < 0.3:
            table["needs"] = [dice.choice([*made.raw["plugin"]])]
        if dice.random() < 0.3:
            table["version"] = "0.1~a"
        if dice.random() < 0.3:
            table["optional"] = True
        key, source = ("source" if made.driver == "files" else "files"), f"plugins/{name}"
        table[made.driver] = {key: source}
        root = made.raw["core"].get("plugins-directory") or f"/usr/lib/{made.name}/plugins"
        files = self._tree()
        if dice.random() < 0.3:
            # A plugin that is one file.
            below = f"{dice.choice(('one', 'One.sh', 'a_b', '.x'))}{number}"
            files = {below: (b"#!/bin/sh\n", True)}
            table[made.driver][key] = source = f"plugins/{below}"
        for below, (content, executable) in files.items():
            self._write(
                source if len(files) == 1 and source.endswith(below) else f"{source}/{below}",
                content,
                0o755 if executable else 0o644,
            )
            made.wanted[f"{root}/{name}/{below}"] = Wanted("file", content, 0o755 if executable else 0o644)
        for _ in range(dice.choice((0, 0, 1, 3))):
            self._entry(table)
        made.raw["plugin"][name] = table

    def _tree(self) -> dict[str, tuple[bytes, bool]]:
        """Files of a plugin by their names, with content and whether they are programs."""
        dice = self.dice
        files = {"run": (b"#!/bin/sh\nexit 0\n", True)}
        for _ in range(dice.choice((0, 1, 4, 12))):
            pool = SIGNED if dice.random() < 0.6 else (*SIGNED, *WILD)
            names = [dice.choice(pool) for _ in range(dice.choice((1, 1, 2, 4)))]
            names = [dice.choice((*HOPELESS, *WILD))] if dice.random() < 0.01 else names
            path = "/".join(names)
            if len(os.fsencode(path)) < 700 and not any(
                other == path or other.startswith(f"{path}/") or path.startswith(f"{other}/") for other in files
            ):
                files[path] = (self._content(), False)
        return files
