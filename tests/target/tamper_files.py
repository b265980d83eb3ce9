"""Ways to tamper with files and directories: owners, modes, links, devices, names, places."""

from __future__ import annotations

import functools
import os
import random
import re
import shutil
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.target.installed import (
    KEYS,
    KIT,
    MEMBERS,
    PARENTS,
    PAYLOADS,
    PLUGINS,
    SHARE,
    Installed,
    home,
    manifest_path,
    signature_path,
    title,
)
from tests.target.tamper import Act, Generator, of_file

BIN = "/usr/lib/fake/bin"
ASIDE = "/etc/aside"
OWN_FILES = (
    *PAYLOADS,
    *(path for name in MEMBERS for path in (manifest_path(name), signature_path(name))),
    *KEYS,
    *(f"{SHARE}/abi", f"{SHARE}/trust", "/usr/lib/fake/assemble"),
)
# Made by apply, or the core's own: they may have several links.
PROGRAMS = (f"{BIN}/fake-core", f"{BIN}/serving/fake", f"{BIN}/serving/working-set")
DIRECTORIES = (
    *("/usr/lib/fake", BIN, f"{BIN}/sets", PLUGINS, KIT, f"{KIT}/pkg", SHARE, f"{SHARE}/plugins", f"{SHARE}/keys"),
    *(f"{PLUGINS}/{name}" for name in ("auth", "auth/rules", "cors", "git", "git/lib")),
)
# Those in which a file that nobody named is refused; elsewhere the core's package may put what it likes.
GUARDED = tuple(path for path in DIRECTORIES if path not in ("/usr/lib/fake", SHARE))
# Those in which files of manifests may have any name.
ANY_NAME = tuple(path for path in DIRECTORIES if path.startswith((f"{PLUGINS}/", KIT)))
# The service's user, a user, and numbers that nobody has.
USERS = (990, 991, 1, 65534, 4242, 2**32 - 2)


def owners(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Files and directories of others than root."""

    def act(path: str, user: int, group: int) -> Act:
        def give(made: Installed) -> str:
            real = made.real(path)
            os.chown(made.at(real), user, group)
            return f"{re.escape(real)} does not belong to root"

        return give

    for path in (*OWN_FILES, *PROGRAMS, *DIRECTORIES, *PARENTS):
        for user in chance.sample(USERS, 4):
            yield f"{path} of {user}", act(path, user, chance.choice((-1, user)))


def modes(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """What others can write, and what would run with other rights."""

    def act(path: str, bits: int, words: str) -> Act:
        def give(made: Installed) -> str:
            real = made.real(path)
            made.at(real).chmod(stat.S_IMODE(made.at(real).stat().st_mode) | bits)
            return f"{re.escape(real)} {words}"

        return give

    for path in (*OWN_FILES, *PROGRAMS, *DIRECTORIES, *PARENTS):
        for bits in (0o002, 0o020, 0o022):
            yield f"{path} with {bits:o}", act(path, bits, "can be written by others than root")
    for path in (*OWN_FILES, *PROGRAMS):
        for bits in (0o4000, 0o2000, 0o1000, 0o6111):
            yield f"{path} with {bits:o}", act(path, bits, "is setuid, setgid or sticky")


def access_lists(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """POSIX ACLs that let one more user or group write."""

    def act(path: str, tag: int, who: int) -> Act:
        def give(made: Installed) -> str:
            # acl(5), linux/posix_acl_xattr.h: owner, the one more, group, mask, others.
            nobody = 0xFFFFFFFF
            entries = [(0x01, 7, nobody), (tag, 6, who), (0x04, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody)]
            entries.sort(key=lambda entry: entry[0])
            value = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
            os.setxattr(made.at(path), "system.posix_acl_access", value)
            return f"{re.escape(path)} can be written by others than root"

        return give

    for path in (*OWN_FILES, *DIRECTORIES[:3], *DIRECTORIES[3:]):
        tag = chance.choice((0x02, 0x08))
        yield f"{path} for {'user' if tag == 2 else 'group'} 991", act(path, tag, 991)


def capabilities(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Files that would give more rights to who runs them."""

    def act(path: str, number: int) -> Act:
        # struct vfs_cap_data of linux/capability.h, revision 2, effective.
        value = struct.pack("<IIIII", 0x02000001, 1 << number, 0, 0, 0)

        def give(made: Installed) -> str:
            os.setxattr(made.at(path), "security.capability", value)
            return f"{re.escape(path)} has capabilities"

        return give

    for path in PAYLOADS:
        for number in chance.sample(range(31), 2):
            yield f"{path} with {number}", act(path, number)


def symbolic_links(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Links in place of files and directories."""

    def act(path: str, target: str) -> Act:
        def give(made: Installed) -> str:
            place = made.at(path)
            place.rename(made.at(ASIDE))
            up = "../" * (path.count("/") - 1)
            place.symlink_to(target.replace("UP/", up))
            return f"{re.escape(path)} is a symbolic link"

        return give

    targets = (ASIDE, f"UP{ASIDE}", "/dev/null", "/nowhere", "UP/etc/passwd", ".", "moved\n")
    for path in (*OWN_FILES, *(path for path in DIRECTORIES if path not in ("/usr/lib/fake", BIN, f"{BIN}/sets"))):
        # What is the same file elsewhere, and some that are not.
        for target in (ASIDE, *chance.sample(targets[1:], 3)):
            yield f"{path} to {target!r}", act(path, target)


def special_files(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Pipes, sockets and devices."""
    kinds: dict[str, tuple[int, int]] = {
        "a pipe": (stat.S_IFIFO, 0),
        "a socket": (stat.S_IFSOCK, 0),
        "/dev/zero": (stat.S_IFCHR, os.makedev(1, 5)),
        "/dev/mem": (stat.S_IFCHR, os.makedev(1, 1)),
        "a disk": (stat.S_IFBLK, os.makedev(7, 0)),
    }

    def act(path: str, kind: str) -> Act:
        def give(made: Installed) -> str:
            made.at(path).unlink(missing_ok=True)
            os.mknod(made.at(path), kinds[kind][0] | 0o600, kinds[kind][1])
            return f"{re.escape(path)} is neither a file nor a directory"

        return give

    for path in (*OWN_FILES, *(f"{directory}/odd" for directory in GUARDED)):
        for kind in chance.sample(sorted(kinds), 2):
            yield f"{path} as {kind}", act(path, kind)


def unnamed_files(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Files that no manifest names."""

    def act(path: str, reason: str) -> Act:
        def give(made: Installed) -> str:
            made.at(path).parent.mkdir(parents=True, exist_ok=True)
            made.at(path).write_text("echo stray\n")
            return reason

        return give

    names = (
        *(
            ".hidden",
            "code.bak",
            "code.dpkg-new",
            "code.rpmnew",
            "core",
            "-rf",
            "--help",
            "CODE",
            "...",
            "..x",
            "a" * 255,
        ),
        *("deep/down/below", "lib/more.so", "kit", "git.manifest", "+", "_", "0"),
    )
    for name in MEMBERS:
        for file in names:
            path = f"{home(name)}/{file}"
            yield f"{path[:90]} ({len(path)})", act(path, f"{title(name)}: {re.escape(path)} is not in its manifest")
    for alien in ("alien", "gi", "gitt", "Git", ".git", "git.old", "-git", "x" * 200):
        for file in ("code", "lib/code"):
            path = f"{PLUGINS}/{alien}/{file}"
            yield f"{path[:90]} ({len(path)})", act(path, f"no manifest names {re.escape(path)}")
    for file in names[:7]:
        yield f"{PLUGINS}/{file}", act(f"{PLUGINS}/{file}", f"no manifest names {re.escape(f'{PLUGINS}/{file}')}")


def odd_names(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Names that a shell, a terminal or a list of lines would stumble over, of files that no manifest has."""

    def act(directory: str, name: str, *, folder: bool) -> Act:
        plain = directory in ANY_NAME and not any(ord(letter) < 32 or letter == "\x7f" for letter in name)

        def give(made: Installed) -> str:
            path = os.fsencode(made.at(directory)) + b"/" + os.fsencode(name)
            if folder:
                os.mkdir(path)  # noqa: PTH102 - pathlib takes no bytes
            else:
                with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
                    file.write(b"echo odd\n")
            shown = os.fsencode(name).decode("ascii", "replace").replace("\ufffd", "?")
            if plain:
                return f"{re.escape(f'{directory}/{shown}')} is not in its manifest"
            return f"a name in {re.escape(directory)} has characters that no name there can have"

        return give

    names = (
        *("a b", " ", "a\n", "\n", "a\nb", "a\tb", "\x01", "\x1b[2J", "\x7f", "a'b", 'a"b', "a`id`", "$(id)", "a;id"),
        *("a|b", "a&b", "a>b", "*", "?", "[a]", "{a,b}", "~", "a\\b", "\\", "!", "#a", "%s", "a=b", "@", ",", ":", "ä"),
        *("\u202ecode", "\u200b", "\uff43ode", "\u0441", "🙂", "code\u0301", "\udcff", "\udcc0\udcaf", "a\r"),
    )
    for name in names:
        for directory in chance.sample(GUARDED, 4):
            folder = chance.random() < 0.2 and directory not in ANY_NAME
            yield f"{directory} {name!a}{'/' if folder else ''}", act(directory, name, folder=folder)


def missing_files(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """What an installed plugin should have, and has no more."""

    def act(reason: str, *paths: str) -> Act:
        def give(made: Installed) -> str:
            for path in paths:
                place = made.at(path)
                if place.is_dir():
                    shutil.rmtree(place)
                else:
                    place.unlink()
            return reason

        return give

    for path in PAYLOADS:
        yield path, act(f"{re.escape(path)} is missing", path)
    for name in MEMBERS:
        path = re.escape(manifest_path(name))
        gone = rf"{path} is missing, though the package fake-plugin-{name} is installed"
        yield signature_path(name), act(rf"{path}\.sig is missing: the manifest is not signed", signature_path(name))
        yield manifest_path(name), act(gone, manifest_path(name))
        yield f"{name} but its files", act(gone, manifest_path(name), signature_path(name))
        yield f"all of {name}", act(gone, manifest_path(name), signature_path(name), home(name))
        yield f"all files of {name}", act(rf"{title(name)}: .* is missing", home(name))
    yield "the key", act("is signed by the unknown key", KEYS[0])
    yield "all keys", act("is signed by the unknown key", *KEYS)
    yield "abi", act(f"{SHARE}/abi does not hold an ABI", f"{SHARE}/abi")
    yield "trust", act("trust says neither signature nor distribution", f"{SHARE}/trust")


def exchanged_files(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """Two files with each other's content or name, within a plugin and between plugins."""

    def copy(source: str, target: str) -> Act:
        def give(made: Installed) -> str:
            made.write(target, made.read(source))
            return of_file(target)

        return give

    def exchange(one: str, other: str) -> Act:
        def give(made: Installed) -> str:
            made.at(one).rename(made.at(ASIDE))
            made.at(other).rename(made.at(one))
            made.at(ASIDE).rename(made.at(other))
            return of_file(one)

        return give

    for one in PAYLOADS:
        for other in PAYLOADS:
            if one != other:
                yield f"{one} over {other}", copy(one, other)
            if one < other:
                yield f"{one} with {other}", exchange(one, other)
    for name in ("auth", "cors", "git"):
        yield f"{name}.manifest over its code", copy(manifest_path(name), f"{PLUGINS}/{name}/code")


def administrators_files(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """A key of the administrator, or a list of disabled plugins, that others can write or redirect."""
    words = {"/etc/fake/keys.d/mine.pub": "", "/etc/fake/plugins.d/disabled": "git\n"}

    def act(path: str, what: str, change: Callable[[Path], object], reason: str) -> Act:
        def give(made: Installed) -> str:
            made.at(path).parent.mkdir(exist_ok=True)
            made.at(path).write_bytes(words[path].encode() or made.read(KEYS[1]))
            change(made.at(what))
            return f"{re.escape(what)} {reason}"

        return give

    def link(place: Path) -> None:
        place.rename(place.with_name("aside"))
        place.symlink_to("aside")

    for path in words:
        for what in (path, path.rpartition("/")[0], "/etc/fake", "/etc"):
            for user in chance.sample(USERS, 2):
                change = functools.partial(os.chown, uid=user, gid=-1)
                yield f"{path} and {what} of {user}", act(path, what, change, "does not belong to root")
            for mode in (0o777, 0o775, 0o757):
                yield (
                    f"{path} and {what} with {mode:o}",
                    act(path, what, functools.partial(os.chmod, mode=mode), "can be written by others than root"),
                )
        for what in (path, path.rpartition("/")[0]):
            yield f"{path} and {what} as a link", act(path, what, link, "is a symbolic link")


def wrong_kinds(chance: random.Random) -> Iterator[tuple[str, Act]]:
    """A directory in place of a file."""

    def act(path: str, reason: Callable[[str], str]) -> Act:
        def give(made: Installed) -> str:
            made.at(path).unlink()
            made.at(path).mkdir()
            return reason(re.escape(path))

        return give

    for path in PAYLOADS:
        yield path, act(path, lambda p: f"{p} is a directory")
    for name in MEMBERS:
        yield manifest_path(name), act(manifest_path(name), lambda p: f"{p} is a directory")
        yield signature_path(name), act(signature_path(name), lambda p: f"{p} is a directory")
    yield KEYS[1], act(KEYS[1], lambda p: f"{p} is a directory")


GENERATORS: tuple[Generator, ...] = (
    owners,
    modes,
    access_lists,
    capabilities,
    symbolic_links,
    special_files,
    unnamed_files,
    odd_names,
    missing_files,
    exchanged_files,
    administrators_files,
    wrong_kinds,
)
