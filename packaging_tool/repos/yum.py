"""A repository for dnf: packages, `repodata` with checksums in the names, signed `repomd.xml`.

The format has no specification; createrepo_c writes it and libsolv reads it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, NamedTuple

from packaging_tool import registry
from packaging_tool.formats.base import Built
from packaging_tool.package import compress, templates
from packaging_tool.repos import _site
from packaging_tool.repos.base import Published, Vouched

if TYPE_CHECKING:
    from packaging_tool.project.model import RepositorySpec
    from packaging_tool.signing.base import Signer

# What dnf of every target reads, EL 8 too.
COMPRESSION = "gzip:6"
XMLNS = "http://linux.duke.edu/metadata"
HEADS = {
    "primary": f'<metadata xmlns="{XMLNS}/common" xmlns:rpm="{XMLNS}/rpm" packages="%d">\n',
    "filelists": f'<filelists xmlns="{XMLNS}/filelists" packages="%d">\n',
    "other": f'<otherdata xmlns="{XMLNS}/other" packages="%d">\n',
}
TAILS = {"primary": "</metadata>\n", "filelists": "</filelists>\n", "other": "</otherdata>\n"}
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
CLOSE = "</package>"
PIECE = 1 << 20
EQUAL = 'flags="EQ"'
PLACE = '<location href="{href}"'
DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "noarch": "all"}


class Repository:
    """The yum repository in `dist/yum`, for all architectures together: dnf takes what fits."""

    name = "yum"
    title = "Fedora, Red Hat Enterprise Linux and relatives (dnf)"
    format = "rpm"

    def pool(self, directory: Path, core: str) -> Path:
        """`yum/packages`; one folder, as the files of all cores and architectures have different names."""
        return directory / "yum" / "packages"

    def published(self, directory: Path) -> tuple[Published, ...]:
        """What the index lists; a package whose file was deleted is not listed any more."""
        root = directory / "yum"
        listed = [_published(root, stanza) for stanza in _stanzas(root, "primary")]
        return tuple(item for item in listed if (directory / item.file).is_file())

    def files(self, directory: Path) -> Iterator[Path]:
        """The packages of its folder."""
        return _site.files(directory / "yum" / "packages", ".rpm")

    def indexes(self, directory: Path) -> Iterator[Path]:
        """`repomd.xml` and what it names."""
        repodata = directory / "yum" / "repodata"
        names = _locations(_site.text(repodata / "repomd.xml"))
        yield from (path for name in ("repomd.xml", *names) if (path := repodata / name).is_file())

    def vouched(self, directory: Path, accepts: Callable[[bytes, bytes], bool]) -> Vouched:
        """What primary lists, if a signed `repomd.xml` names all parts, by names that begin with their hashes."""
        root = directory / "yum"
        repomd = root / "repodata" / "repomd.xml"
        if not repomd.is_file():
            return Vouched({}, ())
        data = repomd.read_bytes()
        if not accepts(data, _site.content(repomd.with_name("repomd.xml.asc"))):
            return Vouched({}, (repomd,))
        parts = [repomd.with_name(name) for name in _locations(data.decode(errors="replace"))]
        strange = [path for path in parts if hashlib.sha256(_site.content(path)).hexdigest() != path.name[:64]]
        if strange:
            return Vouched({}, tuple(strange))
        listed = (_published(root, stanza) for stanza in _stanzas(root, "primary"))
        return Vouched({item.file: item.sha256 for item in listed}, ())

    def dated(self, directory: Path) -> int:
        """The revision of repomd."""
        return _revision(_site.text(directory / "yum" / "repodata" / "repomd.xml"))

    def write(
        self,
        directory: Path,
        built: Sequence[Built],
        spec: RepositorySpec,
        core: str,
        time: int,
        signer: Signer,
    ) -> None:
        """Write `repodata`: primary, filelists, other, `repomd.xml` and its signature.

        The files of the index before stay. Raises SigningError, OSError, and InputError for a file that is no .rpm.
        """
        root = directory / "yum"
        repodata = root / "repodata"
        before = _site.text(repodata / "repomd.xml")
        revision = _site.dated(time, _revision(before))
        packages = _packages(root, built)
        files = {}
        rows = []
        for kind, head in HEADS.items():
            text = XML + head % len(packages) + "".join(_stanza(root, item, kind) for item in packages) + TAILS[kind]
            data = text.encode()
            packer = compress.compressor(COMPRESSION, len(data))
            packed = packer.update(data) + packer.finish()
            row = _Data(
                kind, hashlib.sha256(packed).hexdigest(), len(packed), hashlib.sha256(data).hexdigest(), len(data)
            )
            files[row.name] = packed
            rows.append(row.render(revision))
        index = templates.render("repos/repomd.xml.j2", revision=revision, rows=rows).encode()
        signature = signer.armored(index)
        old = set(_locations(before))
        # Nothing new: the generation that clients may still hold is the one before, which the last run kept.
        kept = old if old != set(files) else {path.name for path in repodata.iterdir()}
        _site.replace_files(repodata, files | {"repomd.xml": index, "repomd.xml.asc": signature}, kept)

    def client_files(self, spec: RepositorySpec, core: str, signer: Signer) -> dict[str, bytes]:
        """`CORE.repo` (dnf.conf(5)) and `CORE.asc`."""
        url = spec.url.rstrip("/")
        key = f"{url}/{_site.key_file(core)}"
        name = _site.client_name(core)
        text = templates.render("repos/repo.j2", core=name, url=url, label=spec.label or core, key=key)
        return {f"{name}.repo": text.encode(), _site.key_file(core): signer.public_key()}

    def instructions(self, spec: RepositorySpec, name: str, packages: Sequence[str], unit: str) -> str:
        """Shell commands for root."""
        name = f"{_site.client_name(name)}.repo"
        file, address = quote(f"/etc/yum.repos.d/{name}"), quote(f"{spec.url.rstrip('/')}/{name}")
        commands = f"curl -fsSo {file} {address}\nchmod 0644 {file}\ndnf install {join(packages)}\n"
        # On these systems no package starts its service by itself.
        return commands + (f"systemctl enable --now {quote(unit)}\n" if unit else "")


class _Data(NamedTuple):
    """A file of the index: digest and size, packed and unpacked."""

    kind: str
    packed: str
    size: int
    unpacked: str
    open_size: int

    @property
    def name(self) -> str:
        return f"{self.packed}-{self.kind}.xml.gz"

    def render(self, time: int) -> str:
        return (
            f'  <data type="{self.kind}">\n'
            f'    <checksum type="sha256">{self.packed}</checksum>\n'
            f'    <open-checksum type="sha256">{self.unpacked}</open-checksum>\n'
            f'    <location href="repodata/{self.name}"/>\n'
            f"    <timestamp>{time}</timestamp>\n"
            f"    <size>{self.size}</size>\n"
            f"    <open-size>{self.open_size}</open-size>\n"
            f"  </data>\n"
        )


def _packages(root: Path, built: Sequence[Built]) -> list[Built]:
    """All packages of the folder, sorted by file."""
    pool = list(_site.files(root / "packages", ".rpm"))
    fresh = {item.path for item in built}
    known = {} if fresh.issuperset(pool) else {item.path: item for item in _known(root)}
    reader = registry.load("formats", "rpm").Format()
    return _site.gather(pool, built, known, reader.index)


def _known(root: Path) -> Iterator[Built]:
    """Packages of the old index whose files were not touched since."""
    repomd = root / "repodata" / "repomd.xml"
    if not repomd.is_file():
        return
    written = repomd.stat().st_mtime
    primary, filelists_, others = (_stanzas(root, kind) for kind in HEADS)
    if not len(primary) == len(filelists_) == len(others):
        raise _site.damaged(repomd, "its parts list different packages")
    for stanza, filelists, other in zip(primary, filelists_, others, strict=True):
        item = _published(root, stanza)
        path = root.parent / item.file
        said = _attribute(stanza, "size", "package")
        _site.checked(repomd, {"size": (_site.SIZE, said)})
        size = int(said)
        if not path.is_file() or not _site.is_as_indexed(path, size, written):
            continue
        stanza = stanza.replace(f"<location href={_href(root, path)}", PLACE, 1)
        yield Built(
            path=path,
            size=size,
            sha256=item.sha256,
            name=item.name,
            version=item.version,
            architecture=item.architecture,
            index={"primary": stanza, "filelists": filelists, "other": other},
        )


def _stanza(root: Path, item: Built, kind: str) -> str:
    text = item.index[kind]
    if kind == "primary":
        # With its tag, as a description may hold the bare word; a `<` there is escaped.
        text = text.replace(PLACE, f"<location href={_href(root, item.path)}", 1)
    return text if text.endswith("\n") else f"{text}\n"


def _href(root: Path, path: Path) -> str:
    import html  # 1 ms, for its table of entities

    return '"' + html.escape(_site.below(root, path), quote=False).replace('"', "&quot;") + '"'


def _published(root: Path, stanza: str) -> Published:
    """A package of the old index. Raises InputError if what it says of it cannot be."""
    version = re.search(r"<version [^<>]*>", stanza)
    architecture = _text(stanza, "arch")
    found = Published(
        name=_text(stanza, "name"),
        version=_evr(version[0] if version else ""),
        architecture=DEBIAN_NAMES.get(architecture, architecture),
        provides=tuple(name for name, _ in _entries(stanza, "provides")),
        depends=tuple(name for name, _ in _entries(stanza, "requires")),
        pins=tuple(
            (name, _evr(rest)) for name, rest in _entries(stanza, "requires") if ' rel="' in rest and EQUAL in rest
        ),
        file=f"yum/{_attribute(stanza, 'location', 'href')}",
        sha256=_text(stanza, "checksum"),
    )
    checks = {"name": (_site.NAME, found.name), "version": (_site.VERSION, found.version)}
    checks |= {"architecture": (_site.NAME, architecture), "checksum": (_site.SHA256, found.sha256)}
    checks |= {"place": (_site.PLACE, found.file.removeprefix("yum/"))}
    _site.checked(root / "repodata" / "repomd.xml", checks)
    return found


def _text(stanza: str, tag: str) -> str:
    found = re.search(rf"<{tag}(?: [^<>]*)?>([^<]*)</{tag}>", stanza)
    return _unescaped(found[1]) if found else ""


def _attribute(stanza: str, tag: str, name: str) -> str:
    found = re.search(rf'<{tag} [^<>]*?\b{name}="([^"<]*)"', stanza)
    return _unescaped(found[1]) if found else ""


def _entries(stanza: str, tag: str) -> list[tuple[str, str]]:
    """Names in a relation, each with the other attributes as they stand."""
    listed = stanza.partition(f"<rpm:{tag}>")[2].partition(f"</rpm:{tag}>")[0]
    entries = re.findall(r'<rpm:entry name="([^"<]*)"([^<>]*)>', listed)
    return [(_unescaped(name), rest) for name, rest in entries]


def _unescaped(text: str) -> str:
    import html  # as above

    return html.unescape(text)


def _evr(attributes: str) -> str:
    """`[epoch:]version-release` of the attributes epoch, ver, rel."""
    said = dict(re.findall(r'\b(epoch|ver|rel)="([^"]*)"', attributes))
    epoch = said.get("epoch", "0")
    return f"{'' if epoch == '0' else epoch + ':'}{said.get('ver', '')}-{said.get('rel', '')}"


def _data(root: Path, kind: str) -> str:
    """The unpacked text of a part of the index, "" if there is none."""
    import gzip
    import zlib

    repomd = root / "repodata" / "repomd.xml"
    names = [name for name in _locations(_site.text(repomd)) if name.endswith(f"-{kind}.xml.gz")]
    if not names:
        return ""
    path = repomd.with_name(names[0])
    try:
        data = bytearray()
        with gzip.open(path) as file:
            # Asked for all of them at once, it would take that much memory first.
            while len(data) <= _site.LONGEST and (piece := file.read(PIECE)):
                data += piece
        text = data.decode()
    except FileNotFoundError:
        raise _site.damaged(repomd, f"{path.name} is missing") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as failed:
        raise _site.damaged(path, str(failed)) from None
    if len(data) > _site.LONGEST:
        raise _site.damaged(path, "it unpacks to more than is sensible")
    return text


def _stanzas(root: Path, kind: str) -> list[str]:
    """The packages in a part of the index."""
    found = []
    text, end = _data(root, kind), 0
    # Not by a pattern, which would look for the end again and again where there is none.
    while (start := text.find("<package ", end)) >= 0 and (end := text.find(CLOSE, start)) >= 0:
        end += len(CLOSE)
        found.append(text[start:end] + "\n")
    return found


def _locations(repomd: str) -> list[str]:
    return re.findall(r'<location href="repodata/([A-Za-z0-9._-]+)"/>', repomd)


def _revision(repomd: str) -> int:
    found = re.search(r"<revision>([0-9]{1,10})</revision>", repomd)
    return int(found[1]) if found else 0
