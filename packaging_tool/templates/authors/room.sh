#!/bin/sh
# Works in a root directory from which nothing else can be seen or changed.
#
#   room.sh make PROGRAM…                               runs a program that makes roots, with all of this machine's files
#   room.sh build ROOT ARCHIVES PROGRAM…                makes a root, and runs a program that fills it, likewise
#   room.sh pack ROOT TAR                               writes the root into a tar file
#   room.sh unpack ROOT TAR                             makes the root
#   room.sh remove ROOT                                 removes it
#   room.sh online|offline ROOT ARCHIVES PROGRAM…       runs a program in it, with or without the network
#
# ARCHIVES: directory that is put where the package manager keeps what it fetched. All runs in a user namespace: as root
# of it with the same numbers of users if root calls, else with those that /etc/subuid gives. When the caller is killed,
# all in it ends.
set -eu
# Whatever the caller's is.
umask 022

# Becomes root of a user namespace, with the arguments.
enter() {
    if [ "$(id -u)" -ne 0 ]; then exec unshare --user --map-auto --map-root-user "$@"; fi
    # Only another process can write the map, so one waits in a namespace until this one is in it too.
    unshare --user sleep 5 </dev/null >/dev/null 2>&1 &
    holder=$!
    own=$(readlink /proc/self/ns/user)
    # Of one that ended already, nothing can be read.
    until other=$(readlink "/proc/$holder/ns/user") && [ "$other" != "$own" ]; do
        if ! kill -0 "$holder" 2>/dev/null; then
            unshare --user true
            exit 1
        fi
        sleep 0.01
    done
    echo '0 0 65536' >"/proc/$holder/uid_map"
    echo '0 0 65536' >"/proc/$holder/gid_map"
    exec nsenter --user="/proc/$holder/ns/user" "$@"
}

# Gives the root in the current directory what programs need. $1: ARCHIVES.
furnish() {
    for place in var/cache/apt/archives var/cache/dnf var/cache/libdnf5; do
        if [ -d "$place" ]; then mount --bind "$1" "$place"; fi
    done
    mount -t proc proc proc
    mount -t tmpfs -o mode=0755 tmpfs dev
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
    mount -t tmpfs -o mode=1777 tmpfs dev/shm
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
}

# For a program that fills the root from outside, and runs some of it there. Then the arguments.
around() {
    root=$1
    archives=$2
    shift 2
    # rpm is not to set owner and mode of what is mounted, and each has its database elsewhere. Its release says which of
    # these files it reads.
    mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/var/cache/dnf" "$root/var/cache/libdnf5" "$root.home/.config/rpm"
    printf '%%%s\n' '_netsharedpath /dev:/proc:/sys' '_dbpath /mkpkgs-rpmdb' | tee "$root.home/.rpmmacros" >"$root.home/.config/rpm/macros"
    (
        cd "$root"
        furnish "$archives"
    )
    export HOME="$root.home"
    exec "$@"
}

# Leaves all of the old system behind. Then the arguments.
inside() {
    root=$1
    archives=$2
    shift 2
    exec 3</etc/resolv.conf
    mount --bind "$root" "$root"
    cd "$root"
    furnish "$archives"
    pivot_root . .
    # From here on, programs are those of the root.
    PATH=/usr/sbin:/usr/bin:/sbin:/bin
    umount -l .
    # It may be a link to what only a running system has.
    rm -f /etc/resolv.conf
    cat <&3 >/etc/resolv.conf
    exec 3<&-
    exec env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" 2>&1
}

what=$1
shift
case $what in
make) enter unshare --mount --pid --ipc --uts --fork --kill-child --mount-proc "$@" ;;
build)
    mkdir "$1"
    enter unshare --mount --pid --ipc --uts --fork --kill-child --mount-proc sh "$0" around "$@"
    ;;
pack) enter tar --create --numeric-owner --one-file-system --exclude='./dev/*' --directory "$1" --file "$2" . ;;
unpack)
    mkdir "$1"
    enter tar --extract --numeric-owner --exclude='./dev/*' --directory "$1" --file "$2"
    ;;
remove) enter rm -rf --one-file-system "$1" ;;
online) enter unshare --mount --pid --ipc --uts --fork --kill-child sh "$0" inside "$@" ;;
offline) enter unshare --mount --pid --ipc --uts --net --fork --kill-child sh "$0" inside "$@" ;;
around) around "$@" ;;
inside) inside "$@" ;;
esac
