#!/bin/sh
# Builds rxstamp: BPF objects (bpf/build.sh) and TypeScript into dist/. Does nothing where dist/ is up to date.
# "gen" also writes the generated TypeScript anew from the BPF objects. "-f" builds even when up to date.
set -eu
cd "$(dirname "$0")/.."

gen=0
force=0
for word in "$@"; do
	case $word in
	gen) gen=1 ;;
	-f) force=1 ;;
	*)
		echo "scripts/build.sh: unknown word \"$word\"; use: sh scripts/build.sh [gen] [-f]" >&2
		exit 2
		;;
	esac
done

stamp=dist/.built
sources() { find src lab bench scripts test -name '*.ts' 2>/dev/null | LC_ALL=C sort; }

# The list of files is part of the stamp: a file that went must also lead to a new build.
stale() {
	[ "$force" = 1 ] && return 0
	[ -e "$stamp" ] || return 0
	[ -n "$(find src lab bench scripts test tsconfig.json package.json -newer "$stamp" \
		\( -name '*.ts' -o -name '*.json' \) -print -quit 2>/dev/null)" ] && return 0
	[ "$(sources | cksum)" != "$(cat "$stamp")" ]
}

compile() {
	if [ ! -x node_modules/.bin/tsc ]; then
		echo "scripts/build.sh: no TypeScript compiler in node_modules. Run: sh scripts/setup.sh" >&2
		exit 1
	fi
	# Before the compiler starts: what changes while it runs must count as newer.
	mkdir -p dist
	sources | cksum >"$stamp.new"
	if ! node_modules/.bin/tsc -p .; then
		rm -f "$stamp.new" "$stamp"
		echo "scripts/build.sh: the TypeScript compiler found errors (above)" >&2
		exit 1
	fi
	[ -e dist/src/cli/main.js ] && chmod +x dist/src/cli/main.js
	mv "$stamp.new" "$stamp"
	echo "built TypeScript into dist/" >&2
}

[ -e bpf/build.sh ] && sh bpf/build.sh
if [ "$gen" = 1 ]; then
	# The compiler emits in spite of errors, which a layout that is behind the header may cause.
	node_modules/.bin/tsc -p . >/dev/null || true
	node dist/scripts/gen-layout.js
fi
if stale; then compile; fi
