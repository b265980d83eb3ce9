"""What the core package brings to the installed machine beside the server itself: target tool, unit, user, keys."""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence

from packaging_tool.drivers.base import Target
from packaging_tool.package.content import Content
from packaging_tool.package.model import Entry, Lifecycle
from packaging_tool.package.templates import render
from packaging_tool.project.model import CoreSpec, Project
from packaging_tool.target import hooks, trial, unit

# What the target tool and the scripts call, beside what is essential there (Debian: coreutils, findutils, sed, awk,
# util-linux). The alternatives are those of dh_installsysusers.
DEPENDS: Mapping[str, tuple[str, ...]] = {
    "deb": ("openssl", "systemd | systemd-standalone-sysusers | systemd-sysusers"),
    "rpm": ("coreutils", "findutils", "gawk", "openssl", "sed", "shadow-utils", "systemd", "util-linux"),
}

# MESSAGE_ID of each kind of event in the journal (systemd.journal-fields(7)); they never change.
EVENTS: Mapping[str, str] = {
    "applied": "90213303a2624a6a99c7d46386e8e967",
    "failed": "53a6f74ad59d442ab5d6a381ba034d6e",
    "refused": "8aefdcb9418547bb817c16c9e7324048",
    "left-out": "e1b7432d820a4751926a169b923b2517",
    "revoked": "0a389c1eb50345e1818a87e5e18be275",
    "rolled-back": "bef0e5187c7943779818f613193e2059",
    "deferred": "33cbedaa1fa94de3ad97989732083897",
    "hook-stopped": "c17d168bcea4458fbb5c92252a9962a4",
}


def lifecycle(project: Project, target: Target | None = None) -> Lifecycle:
    """Names and places on the target, with the project's defaults filled in.

    target: the driver's part, where the units are asked for in which apply runs something.
    """
    core = project.core
    service = core.service
    user = core.user or (core.name if service else "root")
    directory = f"/usr/lib/{core.name}/bin"
    return Lifecycle(
        core=core.name,
        unit=f"{core.name}.service" if service else "",
        user=user,
        group=core.user_group or user,
        home=(service.home if service else "") or f"/var/lib/{core.name}",
        try_user=trial.user(core.name),
        watched=project.plugins_directory,
        tool=f"/usr/bin/{core.name}-plugins",
        program=f"{directory}/{core.name}",
        made=(f"{directory}/serving", f"{directory}/sets", f"{directory}/failed-set"),
        config_directory=core.config_directory or f"/etc/{core.name}",
        for_all=core.for_all,
        steps=tuple(name for name, used in _steps(project, target) if used) if target is not None else (),
    )


def _steps(project: Project, target: Target) -> tuple[tuple[str, bool], ...]:
    """What apply runs in units, by the last part of their names, and whether it does for this core."""
    return (
        ("make", bool(target.assemble or target.arrange)),
        ("try", bool(project.core.trial)),
        ("check", bool(_config_check(project))),
    )


def plugins_directory(project: Project) -> Entry:
    """The plugins directory; every plugin package lists it alike, since the first one unpacked decides its mode."""
    place = lifecycle(project)
    return Entry(path=place.watched, type="directory", mode=place.watched_mode, group=place.group)


def core_entries(project: Project, target: Target, abis: Sequence[str], keys: Mapping[str, bytes]) -> tuple[Entry, ...]:
    """Files of the core package that are the same for every driver, in no order.

    target: the driver's part. abis: lower-case hex, the core's own first, then what it also takes. keys: trusted public
    keys by file name.
    """
    place = lifecycle(project, target)
    name = place.core
    share = f"/usr/share/{name}"
    values = _values(project, target)
    entries = [
        Entry(path=f"/usr/bin/{name}", type="symlink", mode=0o777, target=f"../lib/{name}/bin/{name}"),
        _file(place.tool, render("target/plugins.sh.j2", **values), mode=0o755),
        _file(f"{share}/abi", "".join(f"{abi}\n" for abi in abis)),
        _file(f"{share}/trust", f"{project.core.trust}\n"),
        _file(f"/usr/share/bash-completion/completions/{name}-plugins", render("target/completion.bash.j2", **values)),
        _manual(f"{name}-plugins", render("target/plugins.8.j2", **values)),
        plugins_directory(project),
        *hooks.entries(place),
        *(Entry(path=path, type="directory", mode=0o755) for path in _directories(place)),
        # What a failure tells may be of the configuration.
        Entry(path=place.made[-1], type="ghost", mode=0o600 if place.group == "root" else 0o640, group=place.group),
        # The administrator's, so it stays when the core is removed but not purged.
        Entry(path=_disabled(place), type="ghost", mode=0o644),
        # All that apply makes hangs on one link, `serving`, so that one rename changes it.
        *(
            Entry(path=path, type="symlink", mode=0o777, target=f"serving/{posixpath.basename(path)}")
            for path in (place.program, f"{posixpath.dirname(place.program)}/working-set")
        ),
        *_revoked(project.core, f"{share}/keys/revoked"),
        *_former(project, f"{share}/former"),
        *(
            Entry(path=f"{share}/keys/{key if key.endswith('.pub') else f'{key}.pub'}", content=Content(value))
            for key, value in sorted(keys.items())
            if project.core.trust == "signature"
        ),
    ]
    if not _has_manual(project.core):
        entries.append(_manual(name, render("target/core.8.j2", **values)))
    for step, script in (("assemble", target.assemble), ("arrange", target.arrange)):
        if script:
            entries.append(_file(f"/usr/lib/{name}/{step}", script, mode=0o755))
    entries.append(_file(f"/usr/lib/sysusers.d/{name}.conf", render("systemd/sysusers.conf.j2", **values)))
    entries += [*_apply_units(place), *_try_units(project, place)]
    if target.assemble or target.arrange:
        made = render("systemd/make.service.j2", l=place, work=_work(place), lines=trial.settings_of_steps(place))
        entries.append(_file(f"/usr/lib/systemd/system/{place.stem}-make.service", made))
    if project.core.service is not None:
        entries.append(_file(f"/usr/lib/tmpfiles.d/{name}.conf", render("systemd/tmpfiles.conf.j2", **values)))
        entries.append(
            _file(
                f"/usr/lib/systemd/system/{place.unit}", render("systemd/service.j2", **values, lines=_lines(project))
            )
        )
    return tuple(entries)


def _revoked(core: CoreSpec, path: str) -> tuple[Entry, ...]:
    if not core.revoked_keys:
        return ()
    return (_file(path, "".join(f"{key}\n" for key in sorted(core.revoked_keys))),)


def _former(project: Project, path: str) -> tuple[Entry, ...]:
    """Plugins that ended, one a line, and those that have another name, with it."""
    rows = dict.fromkeys(project.repository.retired_versions, "")
    rows |= {name: f" {new}" for name, (_, new) in project.repository.successors.items()}
    return (_file(path, "".join(f"{name}{new}\n" for name, new in sorted(rows.items()))),) if rows else ()


def _apply_units(place: Lifecycle) -> tuple[Entry, ...]:
    """The units that run apply: at boot, when a process has ended, and to watch the service that it has started.

    Links bring them along, so that no preset can leave them off.
    """
    units = "/usr/lib/systemd/system"
    values = {"l": place, "apply_lines": unit.apply_settings(place.core), "serving": place.made[0]}
    watch = f"{place.stem}-watch.service"
    watches = (
        _file(f"{units}/{watch}", render("systemd/watch.service.j2", **values)),
        Entry(path=f"{units}/{place.unit}.wants", type="directory", mode=0o755),
        Entry(path=f"{units}/{place.unit}.wants/{watch}", type="symlink", mode=0o777, target=f"../{watch}"),
    )
    return (
        *(watches if place.unit else ()),
        _file(f"{units}/{place.stem}-apply.service", render("systemd/apply.service.j2", **values)),
        _file(f"{units}/{place.stem}-apply-later@.service", render("systemd/apply-later@.service.j2", **values)),
        Entry(
            path=f"{units}/multi-user.target.wants/{place.stem}-apply.service",
            type="symlink",
            mode=0o777,
            target=f"../{place.stem}-apply.service",
        ),
    )


def _try_units(project: Project, place: Lifecycle) -> tuple[Entry, ...]:
    """The units that apply starts to try a new set."""
    directory, program = posixpath.dirname(place.program), f"/usr/bin/{place.core}"
    checks = {
        "try": ("Try a new set", project.core.trial),
        "check": ("Check the configuration", _config_check(project)),
    }
    values = {
        "l": place,
        "work": _work(place),
        "serving": f"{directory}/serving",
        "scratch": trial.writable(project, place),
        "lines": trial.settings(project, place),
    }
    return tuple(
        _file(
            f"/usr/lib/systemd/system/{place.stem}-{name}.service",
            render("systemd/try.service.j2", **values, what=what, command=unit.command(program, arguments)),
        )
        for name, (what, arguments) in checks.items()
        if arguments
    )


def _work(place: Lifecycle) -> str:
    """Where apply makes a set."""
    return f"{posixpath.dirname(place.program)}/.apply.new"


def _config_check(project: Project) -> str:
    return project.core.service.config_check if project.core.service else ""


def _served(core: CoreSpec) -> str:
    """The service's arguments as `systemctl show` prints them; `-` where that does not tell one word from two."""
    words = shlex.split(core.service.command) if core.service else []
    return " ".join(words) if all(re.fullmatch(r"\S+", word) for word in words) else "-"


def _disabled(place: Lifecycle) -> str:
    """Where the target tool keeps the names of disabled plugins."""
    return f"{place.config_directory}/plugins.d/disabled"


def _directories(place: Lifecycle) -> tuple[str, ...]:
    share = f"/usr/share/{place.core}"
    return (
        place.config_directory,
        f"{place.config_directory}/keys.d",
        f"{place.config_directory}/plugins.d",
        share,
        f"{share}/keys",
        f"{share}/plugins",
        f"/usr/lib/{place.core}",
        f"/usr/lib/{place.core}/bin",
    )


def _values(project: Project, target: Target) -> dict[str, object]:
    """Variables of the templates. Words that end in shell are quoted here."""
    core = project.core
    place = lifecycle(project, target)
    version = f"{core.epoch}:" if core.epoch else ""
    return {
        "l": place,
        "version": f"{version}{core.version}-{core.release}",
        "date": core.changelog[0].date[:10] if core.changelog else "",
        "summary": core.summary,
        "homepage": core.homepage,
        "documentation": unit.documentation((core.service.documentation if core.service else "") or core.homepage),
        # passwd(5) has no way to write a colon or a tab, sysusers.d none for a quote within quotes.
        "full_name": re.sub(r'[:"\\\t]', " ", core.summary),
        "check": shlex.join(shlex.split(project.core.trial)),
        "config_check": _config_check(project),
        "check_seconds": project.core.trial_seconds,
        "served": _served(core),
        "rules": trial.rules(),
        "scratch": trial.writable(project, place),
        "assemble": f"/usr/lib/{core.name}/assemble" if target.assemble else "",
        "events": EVENTS,
        **hooks.values(place),
        "arrange": f"/usr/lib/{core.name}/arrange" if target.arrange else "",
        "tree": target.tree,
        "restarts": target.restarts,
        "reload": target.reload and bool(core.service and core.service.reload),
        "parents": _parents(f"/usr/lib/{place.core}/bin", f"/usr/share/{place.core}/keys", place.watched),
        "config_parents": _parents(f"{place.config_directory}/keys.d"),
    }


def _parents(*places: str) -> tuple[str, ...]:
    """Every directory above these places, `/` first."""
    found = set()
    for path in places:
        while path != "/":
            path = posixpath.dirname(path)
            found.add(path)
    return tuple(sorted(found))


def _lines(project: Project) -> tuple[tuple[str, str], ...]:
    place = lifecycle(project)
    if project.core.service is None:
        return ()
    return unit.settings(project.core, project.core.service, user=place.user, group=place.group, home=place.home)


def _has_manual(core: CoreSpec) -> bool:
    """Whether the project itself ships a manual page of the core's program."""
    return any(
        re.search(r"/man/man\d/$", file.path) or re.search(rf"/man/man\d/{re.escape(core.name)}\.\d", file.path)
        for file in core.files
    )


def _file(path: str, text: str, *, mode: int = 0o644) -> Entry:
    return Entry(path=path, mode=mode, content=Content(text.encode()))


def _manual(name: str, text: str) -> Entry:
    """A manual page as Debian Policy 12.1 wants it: gzip -9n. GzipFile, since its header is the same in each Python."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0, filename="") as file:
        file.write(text.encode())
    return Entry(path=f"/usr/share/man/man8/{name}.8.gz", content=Content(packed.getvalue()))
