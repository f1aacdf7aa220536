#!/bin/sh
# What the slow proofs need from Debian: real Fashion-MNIST, a real browser, strace. Installs what is
# missing where that is possible, and says what is missing where it is not.
missing=""
[ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ] || missing="dataset-fashion-mnist"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing >/dev/null
else
    echo "not installed, so their tests skip:$missing (as root: apt-get install$missing)" >&2
fi
