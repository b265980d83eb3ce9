"""What must hold before a repository goes out, and the page that tells administrators how to use it.

Publishing is all or nothing. Where a core with a new ABI comes without one of its plugins, `apt full-upgrade` removes
that plugin from servers, and dnf stops to upgrade anything at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from packaging_tool import lock, targets
from packaging_tool.errors import PublishError
from packaging_tool.package import templates, versions
from packaging_tool.package.model import Version
from packaging_tool.project.model import Project
from packaging_tool.project.rules import TAKEN
from packaging_tool.repos.base import Published, Repository
from packaging_tool.signing import gpg
from packaging_tool.signing.base import Signer

# What each repository lists, by the name of its kind.
Listed = Mapping[str, Sequence[Published]]


def listed(repositories: Iterable[Repository], directory: Path) -> Listed:
    """What the repositories below a directory list; nothing where there are none. Raises InputError."""
    return {kind.name: kind.published(directory) for kind in repositories}


def check(project: Project, before: Listed, after: Listed) -> tuple[str, ...]:
    """Refuse what some installed system could not upgrade to; give back what the maintainer should know.

    before: what is published now. after: what would be. Raises PublishError with all
    reasons if the core would go back or lose an architecture, or a published plugin has no package for the core's ABI
    and is not retired. A file that changes its bytes under the same version is only told: nobody knows here whether
    the old one was ever served, and a maintainer at work builds the same version many times.
    """
    problems: list[str] = []
    told: list[str] = []
    hints: list[str] = []
    for kind, packages in after.items():
        comparison = _Comparison(project, kind, before[kind], packages)
        told += comparison.replaced()
        if project.plugin_of is not None:
            # What an author's plugins fit is another repository's: they wait for builds, and so may their core.
            continue
        for reasons, hint in comparison.problems():
            problems += reasons
            if hint not in hints:
                hints.append(hint)
    if problems:
        raise PublishError("\n".join(["nothing was published:", *problems]), hint="; ".join(hints))
    return tuple(told)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One repository, before and after."""

    project: Project
    repository: str
    before: Sequence[Published]
    after: Sequence[Published]

    @property
    def core(self) -> str:
        return self.project.core.name

    def problems(self) -> Iterator[tuple[list[str], str]]:
        """Reasons with the hint that goes with them."""
        spec = self.project.core
        version = str(Version(spec.version, spec.release, spec.epoch))
        cores = {p.architecture: p for p in self.after if (p.name, p.version) == (self.core, version)}
        checks = (
            (self.backwards(version), "raise the epoch if it has to go back"),
            (
                self.missing(cores, version),
                f"build {self.core} for all architectures; to end one, delete its packages from the repository",
            ),
            (
                self.left_behind(cores),
                "build the plugins for this core, or name them in `repository.retired` or `repository.renamed`",
            ),
        )
        for reasons, hint in checks:
            if found := [f"  {self.repository}: {reason}" for reason in reasons]:
                yield found, hint

    def replaced(self) -> Iterator[str]:
        """Files whose bytes change, in one line: whoever has the old one never gets the new one, and mirrors break."""
        now = {item.file: item.sha256 for item in self.after}
        changed = sorted({item.name for item in self.before if now.get(item.file, item.sha256) != item.sha256})
        if changed:
            names = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            yield (
                f"{self.repository}: {names} had other content in this version before; "
                "raise the release if anybody may have the old one"
            )

    def backwards(self, version: str) -> Iterator[str]:
        known = {item.version for item in self.before if item.name == self.core}
        newest = max(known, key=versions.key, default=version)
        if versions.key(newest) > versions.key(version):
            yield f"{self.core} {newest} is published already and is newer than {version}"

    def missing(self, cores: Mapping[str, Published], version: str) -> Iterator[str]:
        """Architectures that had a core and get no new one."""
        had = {item.architecture for item in self.before if item.name == self.core}
        if not cores and not had:
            yield f"there is no package {self.core} {version}"
        for architecture in sorted(had - set(cores)):
            yield f"{self.core} {version} has no package for {architecture}, where an older one is published"

    def left_behind(self, cores: Mapping[str, Published]) -> Iterator[str]:
        """Plugins whose newest package does not fit the core: the newest is the only one that apt looks at."""
        prefix = f"{self.core}-plugin-"
        retired = {f"{prefix}{name}" for name in self.project.repository.former}
        others = {f"{prefix}{name}" for name in TAKEN}
        by_name = _by_name(self.after)
        for architecture, core in sorted(cores.items()):
            abi = {name for name in core.provides if name.startswith(f"{self.core}-abi")}
            fitting = {architecture, "all"}
            plugins = [
                item
                for item in (*self.before, *self.after)
                if item.name.startswith(prefix)
                and item.name not in others
                and item.architecture in fitting
                # Debug information asks for its own package's version alone.
                and not item.name.endswith(tuple(targets.DEBUG_SUFFIXES.values()))
            ]
            newest = _newest(plugins)
            for name, item in sorted(newest.items()):
                now = [other for other in by_name.get(name, ()) if other.architecture in fitting]
                builds = [other.version for other in now if abi.intersection(other.depends)]
                pins = [pin for pin in item.pins if pin[0] in newest and newest[pin[0]].version != pin[1]]
                if not builds:
                    if name not in retired:
                        yield f"{name} ({architecture}) has no package for the ABI of {self.core} {core.version}"
                elif item.version not in builds and name in retired:
                    yield (
                        f"{name} {item.version} ({architecture}) is newer than the empty package that ends it; "
                        "write its own version behind its name in `repository`"
                    )
                elif item.version not in builds:
                    yield f"{name} {item.version} ({architecture}) is newer than the package for {core.version}"
                elif pins and name not in retired:
                    needed, version = pins[0]
                    yield f"{name} ({architecture}) needs {needed} {version}, which {newest[needed].version} replaces"


def same_key(project: Project, output: Path, signer: Signer, known: Callable[[], Collection[str]]) -> None:
    """Refuse to sign what another key signed until now: whoever installed from there knows that one alone.

    known: fingerprints of the project's key and of those that were it before. Raises PublishError, SigningError.
    """
    name, own = project.name, signer.public_key()
    for path in sorted(output.glob("*.asc")):
        data = path.read_bytes()
        if data == own or (fingerprint := gpg.describe(data)[1]) in known():
            continue
        whose = "this repository" if path.stem == name else f"the repository of {path.stem}, another project,"
        way = "name the keys that it has by --keys or MKPKGS_KEYS"
        if path.stem != name:
            way = f"give this project an output directory of its own: -o {output.with_name(f'{output.name}-{name}')}"
        raise PublishError(
            f"nothing was published: until now the key {fingerprint} signed {whose} in {output}, and yours is "
            f"{signer.fingerprint}: apt and dnf of all who installed from there would refuse it",
            hint=f"{way}; to change the key, make it known first, then copy {path} into the directory of your keys, "
            "under another name, or run once with --adopt",
        )


def _by_name(packages: Iterable[Published]) -> dict[str, list[Published]]:
    found: dict[str, list[Published]] = {}
    for item in packages:
        found.setdefault(item.name, []).append(item)
    return found


def _newest(packages: Iterable[Published]) -> dict[str, Published]:
    found: dict[str, Published] = {}
    for item in packages:
        if item.name not in found or versions.key(found[item.name].version) < versions.key(item.version):
            found[item.name] = item
    return found


def site(
    project: Project, published: Listed, repositories: Sequence[Repository], signer: Signer, key: bytes = b""
) -> dict[str, bytes]:
    """Files that lie beside the repositories, by name relative to `dist/`: source files, keys, lock, `index.html`.

    published: what is to be. key: public key of the manifests. Administrators need it where the core is somebody
    else's and does not have it.
    """
    spec, core, name = project.repository, project.core.name, project.name
    files: dict[str, bytes] = {}
    for kind in repositories:
        files |= kind.client_files(spec, name, signer)
    if project.plugin_of is not None and project.core.trust == "signature":
        files[f"{name}.pub"] = key
    for each in project.cores:
        if (locked := lock.path_of(each)).is_file():
            own = f"{name}-{each.abi}" if each.plugin_of is not None else each.core.name
            files[f"{own if each.abi else name}.lock"] = locked.read_bytes()
    everything = [item for items in published.values() for item in items]
    names = {item.name for item in everything}
    example = [found for plugin in project.plugins if (found := f"{core}-plugin-{plugin.name}") in names][:2]
    if project.plugin_of is None:
        example = [core, *example]
    unit = core if project.core.service and project.plugin_of is None else ""
    page = templates.render(
        "repos/index.html.j2",
        core=project.core,
        rows=_rows(project, everything),
        ways=[
            (kind.name, kind.title, _trusting(project, files) + kind.instructions(spec, name, example, unit))
            for kind in repositories
        ],
        files=sorted(files),
        fingerprint=_grouped(signer.fingerprint),
        label=spec.label or name,
        servers=" and ".join(each.core.name for each in project.cores),
        author=project.core.maintainer if project.plugin_of is not None else "",
    )
    return files | {"index.html": page.encode()}


def _trusting(project: Project, files: Mapping[str, bytes]) -> str:
    """Shell commands that make a server trust the plugins of an author who is not its maintainer."""
    name = f"{project.name}.pub"
    if name not in files:
        return ""
    url = project.repository.url.rstrip("/")
    said = ""
    for each in project.cores:
        place = quote(f"{each.core.config_directory or f'/etc/{each.core.name}'}/keys.d")
        # Whoever has one of several servers leaves out what is for the others.
        said += f"# for {each.core.name}:\n" if each.abi else ""
        key = f"{place}/{quote(name)}"
        said += f"install -d -m 0755 {place}\ncurl -fsSo {key} {quote(f'{url}/{name}')}\nchmod 0644 {key}\n"
    return said


@dataclass(frozen=True, slots=True)
class _Row:
    """A package in the table of the page."""

    name: str
    summary: str
    version: str
    architectures: str


def _rows(project: Project, published: Sequence[Published]) -> list[_Row]:
    """Each core, then its plugins by name; each in its newest version."""
    summaries: dict[str, str] = {}
    for each in project.cores:
        core = each.core.name
        summaries |= {core: each.core.summary, f"{core}-plugin-kit": f"Links plugins into {core}; comes by itself"}
        summaries |= {f"{core}-plugin-{plugin.name}": plugin.summary for plugin in each.plugins}
    retired = {f"{each.core.name}-plugin-{name}" for each in project.cores for name in each.repository.former}
    by_name = _by_name(published)
    rows = []
    for name, newest in sorted(_newest(published).items()):
        if name not in summaries or name in retired:
            continue
        same = {p.architecture for p in by_name[name] if p.version == newest.version}
        rows.append(_Row(name, summaries[name], newest.version, ", ".join(sorted(same))))
    return rows


def _grouped(fingerprint: str) -> str:
    """A fingerprint in groups of four, as people compare it."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))
