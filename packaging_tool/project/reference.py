"""The reference page of the project file: `python -m packaging_tool.project.reference` prints docs/reference.md."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from packaging_tool import registry, targets
from packaging_tool.project import model, paths, schema

RELATIONS = ("recommends", "suggests", "conflicts", "replaces", "provides")


PLAN = """\
## Output of `mkpkgs plan --json`

`mkpkgs-plan` is the version of this form: 1. It is raised when a key changes its meaning or goes away; new keys may
come at any time. `packages` is a list, in the order in which `mkpkgs plan` shows them.

| key of a package | what |
|---|---|
| `kind` | `core`, `kit`, `plugin`, `retired`, `debug` or `authors` (what authors of plugins elsewhere need) |
| `name`, `source`, `version`, `architecture` | version as `[epoch:]version-release`, architecture in Debian's words |
| `summary`, `description`, `license`, `homepage`, `maintainer` | texts |
| `files` | list of `path`, `type`, `mode` (octal text), `owner`, `group`, `size` in bytes, `target`, `format` |
| `modules` | list of `path` and `version` of the libraries that are compiled in |
| `formats` | by format: `file` name, `compression`, `relations` as the format spells them, texts of `scripts` |

`size` is null where only the build knows it, and relations have `?` for such an ABI. `target` is null where there is
none, `format` where all formats have the file.
"""


def reference() -> str:
    """The reference page of the project file, Markdown."""
    lines = [
        "<!-- Made from the types by `make reference`; a test checks that it is current. Do not edit. -->",
        "# The project file",
        "",
        "`mkpkgs.toml` describes a server, its plugins and the packages to come. It is [TOML](https://toml.io/en/v1.0.0).",
        "Unknown keys are errors. All paths of sources are relative to the file.",
        "",
    ]
    sections = (
        ("[core]", model.CoreSpec),
        ("[core.service]", model.ServiceSpec),
        ("[[core.changelog]]", model.ChangeSpec),
        ("[plugin.NAME]", model.PluginSpec),
        ("[[core.file]] and [[plugin.NAME.file]]", model.FileSpec),
        ("[core.deb], [core.rpm], [plugin.NAME.deb] and [plugin.NAME.rpm]", model.RelationSet),
        ("[plugin-of]", model.PluginOfSpec),
        ("[repository]", model.RepositorySpec),
    )
    for title, cls in sections:
        lines += _section(title, cls)
    for driver in registry.own("drivers"):
        module = registry.load("drivers", driver)
        about = (module.__doc__ or "").split("\n\n")[0].replace("\n", " ").removeprefix(f"Driver `{driver}`: ")
        lines += [f"## Driver `{driver}`", "", about[:1].upper() + about[1:], ""]
        if shared := getattr(module, "SHARED", ""):
            both = f"`[core.{shared}]` and `[plugin.NAME.{shared}]`"
            lines += [
                f"All keys can also stand in {both}, which other drivers read too; the driver's own go before.",
                "",
            ]
        for title, cls in ((f"core.{driver}", module.CoreOptions), (f"plugin.NAME.{driver}", module.PluginOptions)):
            lines += _section(f"[{title}]", cls, "###")
            for key in schema.keys(cls).values():
                hint = schema.optional(key.hint)
                if dataclasses.is_dataclass(hint) and isinstance(hint, type):
                    lines += _section(f"[{title}.{key.name}]", hint, "###")
    lines += _rules()
    lines += PLAN.splitlines()
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(title: str, cls: type, mark: str = "##") -> Iterator[str]:
    about = (cls.__doc__ or "").split("\n\n")[0].replace("\n", " ").strip()
    yield f"{mark} `{title}`" if " and " not in title else f"{mark} " + _names(title)
    yield ""
    if not about.startswith("Settings of"):
        yield about
        yield ""
    rows = [key for key in schema.keys(cls).values() if not (cls is model.PluginSpec and key.name == "name")]
    if cls is not model.RelationSet:
        # `depends` stands for them.
        rows = [key for key in rows if key.name not in RELATIONS]
    if not rows:
        yield "No keys."
        yield ""
        return
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for key in rows:
        doc = key.doc
        if key.aliases:
            doc += " Also written " + ", ".join(f"`{alias}`" for alias in key.aliases) + "."
        yield f"| `{key.name}` | {_cell(schema.spell(key.hint))} | {_default(key)} | {_cell(doc)} |"
    yield ""


def _names(title: str) -> str:
    return re.sub(r"\[+[^\]]+\]+", lambda match: f"`{match[0]}`", title)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(key: schema.Key) -> str:
    if key.required:
        return "**required**"
    if key.default is None or key.default == "" or key.default == () or key.default == {}:
        return ""
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    if isinstance(key.default, tuple):
        return "`[" + ", ".join(f'"{item}"' for item in key.default) + "]`"
    return f'`"{key.default}"`' if isinstance(key.default, str) else f"`{key.default}`"


def _rules() -> Iterator[str]:
    yield "## Targets"
    yield ""
    yield "| target | format | compression, default first |"
    yield "|---|---|---|"
    for name, release in targets.TARGETS.items():
        yield f"| `{name}` | {release.format} | {', '.join(release.compressions)} |"
    yield ""
    yield "## Where files may go"
    yield ""
    yield (paths.__doc__ or "").split("\n\n", 1)[1].strip()
    yield ""


if __name__ == "__main__":
    import sys

    sys.stdout.write(reference())
