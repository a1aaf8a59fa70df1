#!/bin/sh
# Makes a fresh clone ready: sh scripts/setup.sh [lab] [test] [bench]
#
#   (nothing)  npm packages, the compiler for BPF, the build
#   lab        also a kernel and a QEMU for guests, unpacked in the cache folder (nothing of them is installed)
#   test       also a C compiler and the C formatter, for the tests of the kernel side; with lab: all kernels of the lab
#   bench      also the tools rxstamp is measured against
#
# Needs Node and, where Debian packages are missing, root or sudo. Run it as often as you like: what is there is left
# alone, and a run with nothing to do takes a second.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
fail() {
	echo "setup: $*" >&2
	exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

lab=0
tests=0
bench=0
for word in "$@"; do
	case $word in
	lab) lab=1 ;;
	test) tests=1 ;;
	bench) bench=1 ;;
	*)
		say "unknown word \"$word\"; use: sh scripts/setup.sh [lab] [test] [bench]"
		exit 2
		;;
	esac
done

# One at a time in this folder: two would install and build into each other. The kernel gives the lock back at our end.
if have flock; then
	exec 9<package.json
	flock --nonblock 9 || {
		say "waiting for another one in this folder"
		flock 9
	}
fi

# --- Node
have node || fail "Node is not installed. Install Node 20.19 or newer"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
	fail "this is Node $(node -v); rxstamp needs 20.19 or newer"

# --- Debian packages. Each is wanted where its proof (a program or a file) is missing.
missing=""
want() { missing="$missing $1"; }
have_clang() {
	for name in ${CLANG:-} clang-14 clang clang-15 clang-16 clang-17 clang-18 clang-19; do
		have "$name" && return 0
	done
	return 1
}
have_file() {
	for path in "$@"; do [ -e "$path" ] && return 0; done
	return 1
}
PATH=$PATH:/usr/sbin:/sbin
export PATH
have_clang || want clang
have_file /usr/include/bpf/bpf_helpers.h || want libbpf-dev
have_file /usr/lib/*/libbpf.so.1 /usr/lib64/libbpf.so.1 /usr/lib/libbpf.so.1 || want libbpf1
have_file /usr/lib/*/libpcap.so.0.8 /usr/lib64/libpcap.so.1 /usr/lib/libpcap.so.1 || want libpcap0.8
have bpftool || want bpftool
have ip || want iproute2
have ethtool || want ethtool
if [ "$lab" = 1 ]; then
	have xz || want xz-utils
	have zstd || want zstd
	have bpftrace || want bpftrace
fi
if [ "$tests" = 1 ] || [ "$bench" = 1 ]; then
	have gcc || want gcc
	have_file /usr/include/stdio.h || want libc6-dev
fi
if [ "$tests" = 1 ]; then
	have make || want make
	have clang-format-14 || want clang-format-14
	have sysctl || want procps
	have cpio || want cpio
	have tcpdump || want tcpdump
	have perf || want linux-perf
	have bpftrace || want bpftrace
	have trace-cmd || want trace-cmd
	have kprobe-perf || want perf-tools-unstable
fi
if [ "$bench" = 1 ]; then
	have perf || want linux-perf
	have bpftrace || want bpftrace
	have trace-cmd || want trace-cmd
fi
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}
if [ -n "${missing% }" ]; then
	have apt-get || fail "these Debian packages (or your system's twins) are missing: $missing"
	if [ "$(id -u)" != 0 ] && ! have sudo; then
		fail "these packages are missing, and this is neither root nor is there sudo. Run as root: apt-get install $missing"
	fi
	say "installing Debian packages: $missing"
	# Another apt (of a timer, at the machine's start) may have dpkg's locks: waited for. No service that is started gets ours.
	apt() {
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >&2 9<&-
	}
	install() { apt install -y --no-install-recommends $missing; }
	# Another apt may have the lock of the lists, which cannot be waited for, or a mirror be in the middle of its own update.
	update_and_install() {
		say "reading the package lists first"
		apt update
		install && return 0
		for pause in 10 30 60; do
			say "that failed, trying again in $pause s"
			sleep "$pause"
			apt update
			install && return 0
		done
		return 1
	}
	install || update_and_install || fail "could not install: $missing. Run as root: apt-get update && apt-get install $missing"
fi

# --- npm packages, exactly those of the lock file
installed=node_modules/.package-lock.json
if [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; then
	# A clone has new file times but may have the right packages: compare what is recorded before fetching again.
	hash=$(cksum <package-lock.json)
	if [ ! -e "$installed" ] || [ "$hash" != "$(cat node_modules/.rxstamp-lock 2>/dev/null)" ]; then
		say "installing npm packages"
		# From the beginning again, where a download broke off in spite of its own retries; what came is in npm's cache.
		npm_ci() { npm ci --no-audit --no-fund --fetch-retries=5 >&2; }
		npm_ci || {
			say "that failed, trying again in 10 s"
			sleep 10
			npm_ci
		}
		echo "$hash" >node_modules/.rxstamp-lock
	fi
	touch "$installed"
fi

# --- build
sh scripts/build.sh

# --- the lab: kernels (RXSTAMP_LAB_KERNELS=6.12,6.1), a QEMU and a busybox in the cache folder
if [ "$lab" = 1 ]; then
	kernels=${RXSTAMP_LAB_KERNELS:-}
	# The tests boot each kernel at least once.
	if [ "$tests" = 1 ]; then kernels="all headers"; fi
	node dist/lab/fetch-main.js $(echo "$kernels" | tr ',' ' ')
fi
say "ready"
