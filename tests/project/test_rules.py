"""Rules of single values, judged by the programs that will read them on the target."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from packaging_tool.project import licenses, paths, rules
from packaging_tool.project.faults import RuleError


def accepts(rule: Callable[[str], None], text: str) -> bool:
    try:
        rule(text)
    except RuleError:
        return False
    return True


def dpkg(what: str, text: str) -> bool:
    return subprocess.run(["dpkg", f"--validate-{what}", text], capture_output=True).returncode == 0


def rpm_version(text: str) -> bool:
    spec = f"Name: x\nVersion: {text}\nRelease: 1\nSummary: x\nLicense: x\n%description\n"
    done = subprocess.run(["rpmspec", "--query", "/dev/stdin"], input=spec, text=True, capture_output=True)
    return done.returncode == 0


# What people call releases that are still to come.
BEFORE = ("preview1", "next", "nightly.20260101", "canary.5", "M1", "0.3.7", "rc.1", "beta2")
VERSIONS = ["1", "1.0", "2.11.9", "2.12.0~beta.1", "0", "1.0+git20261120.abc", "20261120", "1.0a"]
NO_VERSIONS = ["", "v1.0", "1.0-1", "1:1.0", "1.0_1", "1.0^1", "1 0", "1.0\n", "a", "1.0/2", "1.0$x", "ü1", "\u0661.0"]


@pytest.mark.parametrize("text", VERSIONS)
def test_a_version_that_is_accepted_is_one_for_dpkg_and_for_rpm(text: str) -> None:
    assert accepts(rules.upstream_version, text)
    assert dpkg("version", f"{text}-1")
    assert rpm_version(text)


@pytest.mark.parametrize("text", NO_VERSIONS)
def test_other_versions_are_refused(text: str) -> None:
    assert not accepts(rules.upstream_version, text)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("v2.11.9", "2.11.9"),
        ("2.12.0-beta.1", "2.12.0~beta.1"),
        ("v2.12.0-rc1", "2.12.0~rc1"),
        ("1.0-1", "1.0"),
        ("1.0_1", "1.0.1"),
        ("2.0-alpha", "2.0~alpha"),
        ("1.2.3-5-g1a2b3c4", "1.2.3+5.g1a2b3c4"),
        *((f"1.0.0-{word}", f"1.0.0~{word}") for word in BEFORE),
        ("2.0-SNAPSHOT-ab12cd", "2.0~SNAPSHOT.ab12cd"),
    ],
)
def test_the_version_that_is_proposed_is_accepted(text: str, better: str) -> None:
    with pytest.raises(RuleError) as caught:
        rules.upstream_version(text)
    assert f'"{better}"' in caught.value.instead
    assert accepts(rules.upstream_version, better)
    assert dpkg("version", f"{better}-1")
    assert rpm_version(better)


@pytest.mark.parametrize("word", BEFORE)
def test_a_proposed_pre_release_sorts_before_its_release(word: str) -> None:
    """Whoever followed another proposal could publish the release never again without an epoch."""
    with pytest.raises(RuleError) as caught:
        rules.upstream_version(f"1.0.0-{word}")
    better = caught.value.instead.split('"')[1]
    assert subprocess.run(["dpkg", "--compare-versions", f"{better}-1", "lt", "1.0.0-1"]).returncode == 0


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("Zoë Müller <zoe@müller.de>", "Zoë Müller <zoe@xn--mller-kva.de>"),
        ("Acme @ Work <a@b.org>", "Acme Work <a@b.org>"),
        ("Ann Bo <a@b.org>, Cy Do <c@d.org>", "Ann Bo <a@b.org>"),
        ("Jo Doe jo@example.org", "Jo Doe <jo@example.org>"),
        ("Deluan Quintão <deluan at navidrome.org>", "Deluan Quintão <deluan@navidrome.org>"),
        ("Jo Doe jo [at] example.org", "Jo Doe <jo@example.org>"),
        ("jo@example.org", "Jane Doe <jo@example.org>"),
        ("", "Jane Doe <jane@example.org>"),
    ],
)
def test_the_maintainer_that_is_proposed_is_accepted(text: str, better: str) -> None:
    with pytest.raises(RuleError) as caught:
        rules.maintainer(text)
    assert caught.value.instead == f'write "{better}"'
    assert accepts(rules.maintainer, better)


def test_no_architecture_is_proposed_that_is_another_one() -> None:
    for text, instead in (("x86_64", 'write "amd64"'), ("armhf", "known: amd64, arm64, all")):
        with pytest.raises(RuleError) as caught:
            rules.architecture(text)
        assert caught.value.instead == instead


@pytest.mark.parametrize("text", ["ab", "caddy", "libfoo++", "a.b-c", "7zip"])
def test_a_package_name_that_is_accepted_is_one_for_dpkg(text: str) -> None:
    assert accepts(rules.package_name, text)
    assert dpkg("pkgname", text)


@pytest.mark.parametrize("text", ["", "a", "Caddy", "a_b", "-a", ".ab", "a b", "ä-server", "a\n", "a/b", "a$b"])
def test_other_package_names_are_refused(text: str) -> None:
    assert not accepts(rules.package_name, text)


@pytest.mark.parametrize("text", ["git", "cors", "l4", "a-b-c", "7"])
def test_plugin_names_make_package_names(text: str) -> None:
    assert accepts(rules.plugin_name, text)
    assert dpkg("pkgname", f"core-plugin-{text}")


@pytest.mark.parametrize("text", ["", "kit", "Git", "a_b", "a--b", "-a", "a-", "a.b", "../x", "a b", "a" * 65, "a\n"])
def test_other_plugin_names_are_refused(text: str) -> None:
    assert not accepts(rules.plugin_name, text)


@pytest.mark.parametrize(
    "text",
    [
        "MIT",
        "Apache-2.0",
        "GPL-2.0-or-later WITH Classpath-exception-2.0",
        "(MIT OR Apache-2.0) AND BSD-3-Clause",
        "LicenseRef-Proprietary",
        "GPL-2.0+",
    ],
)
def test_spdx_expressions_are_accepted(text: str) -> None:
    assert accepts(licenses.check, text)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("Apache 2.0", "Apache-2.0"),
        ("GPLv3", "GPL-3.0-only"),
        ("GPL-2", "GPL-2.0-only"),
        ("BSD", "BSD-3-Clause"),
        ("MIT License", "MIT"),
        # As Cargo had it.
        ("MIT/Apache-2.0", "MIT OR Apache-2.0"),
        ("MIT / ISC", "MIT OR ISC"),
        ("MIT, BSD", ""),
        ("MIT or ISC", ""),
        ("MIT OR", ""),
        ("(MIT", ""),
        ("MIT)", ""),
        ("MIT Apache-2.0", ""),
        ("WITH", ""),
        ("", ""),
    ],
)
def test_other_licenses_are_refused_with_what_was_meant(text: str, better: str) -> None:
    with pytest.raises(RuleError) as caught:
        licenses.check(text)
    assert better in caught.value.instead
    assert not better or accepts(licenses.check, better)


@pytest.mark.parametrize(
    "text",
    ["/usr/bin/x", "/usr/share/doc/x/README.md", "/etc/x/x.conf", "/var/lib/x", "/usr/share/x/", "/usr/share/x/é"],
)
def test_destinations_below_the_roots_are_accepted(text: str) -> None:
    assert accepts(paths.destination, text)


@pytest.mark.parametrize(
    "text",
    [
        "usr/bin/x",
        "/usr",
        "/usr/",
        "/",
        "/bin/x",
        "/lib64/x",
        "/opt/x",
        "/srv/x",
        "/home/x",
        "/root/x",
        "/tmp/x",  # noqa: S108 (refused, never opened)
        "/run/x",
        "/boot/x",
        "/usr/local/bin/x",
        "/usr/../etc/shadow",
        "/usr/./bin/x",
        "/usr//bin/x",
        "/etc/init.d/x",
        "/etc/rc3.d/x",
        "/var/lib/dpkg/info/x.postinst",
        "/var/lib/rpm/x",
        "/var/www/x",
        "/usr/bin/a b",
        "/usr/bin/x\n",
        "/usr/bin/\x1b[31m",
        "/usr/bin/*",
        "/usr/bin/" + "x" * 256,
        "/usrx/y",
        "/etcetera",
    ],
)
def test_other_destinations_are_refused(text: str) -> None:
    assert not accepts(paths.destination, text)


@pytest.mark.parametrize("text", ["0644", "644", "0750", "0400"])
def test_plain_modes_are_accepted(text: str) -> None:
    assert accepts(paths.mode, text)


@pytest.mark.parametrize("text", ["4755", "02755", "1777", "0666", "0777", "0o644", "u=rw", "", "888", "64", "000644"])
def test_modes_that_lend_rights_and_no_modes_are_refused(text: str) -> None:
    assert not accepts(paths.mode, text)


@pytest.mark.parametrize("text", ["Jo Doe <jo@example.org>", "The Team <a+b@x.example.org>", "J. O'Doe <j@e.org>"])
def test_maintainers_are_accepted(text: str) -> None:
    assert accepts(rules.maintainer, text)


@pytest.mark.parametrize(
    "text", ["", "Jo", "jo@example.org", "Jo <jo>", "Jo <a@b> x", "Jo <a@b>\nX: y", "A, B <a@b.c>"]
)
def test_other_maintainers_are_refused(text: str) -> None:
    assert not accepts(rules.maintainer, text)


def test_capabilities_are_those_of_the_kernels_header() -> None:
    """setpriv and systemd know the names that capabilities(7) lists; libcap's own tool is the judge."""
    done = subprocess.run(["setpriv", "--list-caps"], capture_output=True, text=True, check=True)
    known = {f"CAP_{name.upper()}" for name in done.stdout.split() if not name.startswith("cap_")}
    assert len(known) > 30
    assert known <= set(rules.CAPABILITIES)
