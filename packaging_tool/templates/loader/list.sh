#!/bin/sh
# arrange SET [NAME…]: writes the names of the plugins, in their order, a line each.
set -eu
set=$1
shift
for name; do printf '%s\n' "$name"; done >"$set/loader/plugins"
