"""Another repository, whose index says anything: real apt and dnf read it, and to the tool its words are words.

For apt it is pinned so that nothing is installed from it; for dnf it is one that is enabled, as others are.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

from packaging_tool.repos.yum import HEADS, TAILS, XML
from tests.hostile.words import raw
from tests.machine import ENVIRONMENT
from tests.systems import Apt, Debian13Apt, Dnf, System
from tests.target.market import CLEAN, MARK, hostile_stanzas, judge, stanza
from tests.tiers import at_night
from tests.workspace import Workspace

pytestmark = pytest.mark.acceptance

CORE = b"greet"
APT = (Apt, at_night(Debian13Apt))
# Below it lies the other repository, in the machine.
OTHER = "/srv/other"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
QUESTIONS = (
    *(("list",), ("list", "--available"), ("list", "--json"), ("list", "--available", "--json"), ("why", "hello")),
    *(("why", "bye", "--json"), ("verify", "--json"), ("doctor", "--dry-run"), ("install", "moon", "--dry-run")),
    *(("install", "zz", "--dry-run"), ("remove", "hello", "--dry-run"), ("sync", "/wanted", "--dry-run")),
)
COMPLETE = """
source /usr/share/bash-completion/completions/greet-plugins
for command in install why; do
    COMP_WORDS=(greet-plugins $command '') COMP_CWORD=2
    _greet_plugins greet-plugins ''
    printf '%s\\n' "${COMPREPLY[@]}"
done
"""


def name_of(kind: object) -> str:
    assert isinstance(kind, type)
    assert issubclass(kind, System)
    return kind.base_name


@pytest.fixture(params=[*APT, Dnf], ids=name_of)
def image(request: pytest.FixtureRequest, greet: Workspace, tmp_path: Path) -> Iterator[System]:
    """An image with the plugin hello; moon and bye can be installed."""
    kind: type[System] = request.param
    with kind(greet.dist, tmp_path / "image", "greet", boot=False) as image:
        image.use()
        image.install("greet", *image.plugin("hello"))
        image.write("/wanted", "hello\nmoon\n")
        yield image


def call(image: System, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command inside; what it prints may be no text."""
    clean = [f"{key}={value}" for key, value in ENVIRONMENT.items()]
    return subprocess.run(
        [*image._into(), "env", "-i", *clean, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )


def sign(image: System, file: str, signature: str, *how: str) -> None:
    """Sign a file of the machine with a key of the other repository; its public part is put beside."""
    home = image.root.parent / "gnupg"
    gpg = ("gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", "--passphrase", "")
    if not home.exists():
        home.mkdir(mode=0o700)
        subprocess.run([*gpg, "--quick-generate-key", "Other <other@example.org>", "rsa2048", "sign"], check=True)
        with image.path(f"{OTHER}/key.asc").open("wb") as key:
            subprocess.run([*gpg, "--armor", "--export"], check=True, stdout=key)
    subprocess.run([*gpg, *how, "--output", str(image.path(signature)), str(image.path(file))], check=True)


# --- apt --------------------------------------------------------------------------------------------------------------


def sell_deb(image: System, index: bytes, priority: int) -> None:
    """Offer an index as the other repository, signed by its own key."""
    image.write(f"{OTHER}/Packages", index)
    listed = image.sh(f"cd {OTHER}; sha256sum Packages; stat -c %s Packages").split()
    image.write(f"{OTHER}/Release", f"Origin: Other\nSuite: ./\nSHA256:\n {listed[0]} {listed[2]} Packages\n")
    sign(image, f"{OTHER}/Release", f"{OTHER}/InRelease", "--clearsign")
    image.write("/etc/apt/sources.list.d/other.list", f"deb [signed-by={OTHER}/key.asc] file:{OTHER} ./\n")
    image.write("/etc/apt/preferences.d/other", f"Package: *\nPin: release o=Other\nPin-Priority: {priority}\n")
    done = call(image, "apt-get", "update", "--error-on=any")
    assert done.returncode == 0, done


def taken_by_apt(image: System) -> bytes:
    """All hostile words that this apt takes; with one that it does not take, it would read nothing of an index."""
    offered = [text.replace(b"fake-", CORE + b"-") for _, word in raw(MARK) for text in hostile_stanzas(word)]
    for number, text in enumerate(offered):
        image.write(f"/srv/tried/{number}", text)
    options = (
        "-o Dir::State::status=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::State=/srv/apt"
    )
    image.sh("mkdir -p /srv/apt/lists/partial; echo 'deb [trusted=yes] file:/tried ./' >/srv/apt/list")
    options += " -o Dir::Etc::SourceList=/srv/apt/list -o Dir::Etc::SourceParts=/dev/null"
    found = image.sh(
        f"for n in $(seq 0 {len(offered) - 1}); do cp /srv/tried/$n /srv/apt/lists/_tried_._Packages; "
        f"if apt-cache {options} pkgnames >/dev/null 2>/srv/apt/said && ! grep -q ^E: /srv/apt/said; "
        "then echo $n; fi; done"
    )
    return b"".join(offered[int(number)] for number in found.split())


# --- dnf --------------------------------------------------------------------------------------------------------------


def described(name: str, *, version: str = "2.0", relation: str = "other", text: str = "other") -> str:
    """A package of an index."""
    entry = f"<rpm:entry name={quoteattr(relation)}/>"
    return (
        f'<package type="rpm"><name>{escape(name)}</name><arch>noarch</arch>'
        f'<version epoch="0" ver={quoteattr(version)} rel="1"/>'
        f'<checksum type="sha256" pkgid="YES">{"0" * 64}</checksum>'
        f"<summary>{escape(text)}</summary><description>{escape(text)}</description><packager>{escape(text)}</packager>"
        f'<url/><time file="1" build="1"/><size package="1" installed="1" archive="1"/><location href="some.rpm"/>'
        f"<format><rpm:license>{escape(text)}</rpm:license><rpm:provides>{entry}</rpm:provides>"
        f"<rpm:requires>{entry}</rpm:requires></format></package>\n"
    )


def sell_rpm(image: System) -> None:
    """Offer all hostile words that XML can hold as the other repository, signed by its own key."""
    packages = []
    for key, word in raw(MARK):
        text = word.decode("utf-8", "replace")
        if any(letter < " " and letter not in "\t\r\n" for letter in text):
            continue
        packages += [
            described(f"greet-plugin-{text}", text=text),
            # dnf 4 aborts where what stands before a colon in a version is no number.
            described(f"greet-plugin-v{key}", version=f"2{text.replace(':', '')}"),
            described(f"greet-plugin-d{key}", relation=f"greet-plugin-{text}"),
            described(f"greet-plugin-a{key}", relation=f"greet-abi-{text}"),
        ]
    assert len(packages) > 100
    index = XML + HEADS["primary"] % len(packages) + "".join(packages) + TAILS["primary"]
    image.write(f"{OTHER}/repodata/primary.xml", index)
    digest = image.sh(f"sha256sum {OTHER}/repodata/primary.xml").split()[0]
    image.write(
        f"{OTHER}/repodata/repomd.xml",
        f'{XML}<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="primary">'
        f'<checksum type="sha256">{digest}</checksum><location href="repodata/primary.xml"/></data></repomd>\n',
    )
    sign(image, f"{OTHER}/repodata/repomd.xml", f"{OTHER}/repodata/repomd.xml.asc", "--armor", "--detach-sign")
    image.write(
        "/etc/yum.repos.d/other.repo",
        f"[other]\nname=Other\nbaseurl=file://{OTHER}\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=file://{OTHER}/key.asc\n",
    )
    done = call(image, "dnf", "-y", "makecache")
    assert done.returncode == 0, done
    assert b"greet-plugin-vhtml" in call(image, "dnf", "-q", "repoquery", "greet-plugin-v*").stdout


# --- what must hold ---------------------------------------------------------------------------------------------------


def test_the_index_of_another_repository_says_what_it_likes(image: System) -> None:
    image.path(OTHER).mkdir(parents=True)
    if isinstance(image, Apt):
        index = taken_by_apt(image)
        assert index.count(b"Package:") > 100
        sell_deb(image, index, -1)
        assert b"greet-plugin-zz" in call(image, "apt-cache", "pkgnames", "greet-plugin-").stdout
    else:
        sell_rpm(image)
    for user in ((), NOBODY):
        for question in QUESTIONS:
            judge(call(image, *user, "greet-plugins", *question), image.root, question)
        done = call(image, *user, "bash", "-c", COMPLETE)
        assert CLEAN.fullmatch(done.stdout + done.stderr), done
        assert b"moon\n" in done.stdout
        assert not image.path(str(MARK)).exists(), shlex.join(user)
    offered = call(image, "greet-plugins", "list", "--available").stdout
    assert all(name in offered for name in (b"bye", b"hello", b"moon"))


@pytest.mark.parametrize("image", APT, indirect=True, ids=name_of)
@pytest.mark.parametrize("priority", [-1, 500])
def test_a_name_that_means_an_action_to_apt_is_that_of_a_package(image: System, priority: int) -> None:
    """apt takes `NAME-` for a package if an index has one that is called so, else for the removal of NAME."""
    image.path(OTHER).mkdir(parents=True)
    sell_deb(
        image, b"".join(map(stanza, (b"greet-plugin-hello-", b"greet-plugin-hello+", b"greet-plugin-moon+"))), priority
    )
    for name in ("moon+", "bye+"):
        rehearsed = call(image, "greet-plugins", "install", name, "--dry-run")
        there = priority > 0 and name == "moon+"
        assert rehearsed.stdout == (b"greet-plugins: would install moon+\n" if there else b""), rehearsed
        assert rehearsed.returncode == (3 if there else 1), rehearsed
    rehearsed = call(image, "greet-plugins", "remove", "hello", "--dry-run")
    assert rehearsed.stdout == b"greet-plugins: would remove hello\n", rehearsed
    image.write("/wanted", "moon\n")
    rehearsed = call(image, "greet-plugins", "sync", "/wanted", "--dry-run")
    assert b"would remove hello\n" in rehearsed.stdout, rehearsed
    done = call(image, "greet-plugins", "sync", "/wanted", "--yes")
    assert done.returncode == 0, done
    assert set(image.installed()) == {"greet", "greet-plugin-bye", "greet-plugin-moon"}
    done = call(image, "greet-plugins", "remove", "moon", "bye", "--yes")
    assert done.returncode == 0, done
    assert set(image.installed()) == {"greet"}
