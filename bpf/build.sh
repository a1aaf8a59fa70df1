#!/bin/sh
# Compiles the BPF objects into dist/bpf and, with "gen", the TypeScript layout of the shared record from their BTF.
set -eu
cd "$(dirname "$0")/.."
clang=""
for candidate in ${CLANG:-} clang-14 clang clang-15 clang-16 clang-17 clang-18 clang-19; do
	if command -v "$candidate" >/dev/null 2>&1; then
		clang=$candidate
		break
	fi
done
if [ -z "$clang" ]; then
	echo "bpf/build.sh: no clang found. Install it: apt-get install clang-14 libbpf-dev" >&2
	exit 1
fi
mkdir -p dist/bpf
for source in bpf/*.bpf.c; do
	object=dist/bpf/$(basename "$source" .c).o
	if [ -e "$object" ] && [ -z "$(find bpf -newer "$object" -name '*.[ch]' -print -quit)" ]; then
		continue
	fi
	echo "compiling $source" >&2
	"$clang" -O2 -g -target bpf -D__TARGET_ARCH_x86 -mcpu=v3 -Wall -Werror -Wno-unused-function -Ibpf \
		-fdebug-prefix-map="$PWD"=. -c "$source" -o "$object.tmp"
	mv "$object.tmp" "$object"
done
