/**
 * The shell text that runs inside a guest. `init` is the first program of the initramfs: modules, mounts, the step
 * onto the host's files. `agent` then serves the host: one line per wish on a virtio-serial port, output as files in
 * the exchange folder. Both run under the static busybox, so they need nothing of the host.
 *
 * host -> guest: `run ID`, `kill ID SIGNAL`, `stop`.  guest -> host: `ready RELEASE`, `exit ID CODE`.
 */

/** Folder inside the guest for all that belongs to the lab. */
export const GUEST_HOME = '/run/rxlab';
/** The exchange folder as the guest sees it; on the host it is exchange/ in the run folder. */
export const GUEST_EXCHANGE = `${GUEST_HOME}/x`;
/** 9p tags. */
export const ROOT_TAG = 'hostroot';
export const EXCHANGE_TAG = 'exchange';

/** First program of the initramfs. `modules` are the names in loading order. */
export function initScript(modules: readonly string[]): string {
  return `#!/bin/busybox sh
b=/bin/busybox
fail() { $b echo "rxlab: $*"; $b poweroff -f; }
$b mount -t proc p /proc; $b mount -t sysfs s /sys; $b mount -t devtmpfs d /dev
for m in ${modules.join(' ')}; do $b insmod /mods/$m.ko || fail "cannot load $m"; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,ro ${ROOT_TAG} /ro || fail "no host root"
# The guest may write anywhere; it writes to its own memory.
$b mount -t tmpfs -o size=70% t /up; $b mkdir /up/u /up/w
$b mount -t overlay -o lowerdir=/ro,upperdir=/up/u,workdir=/up/w o /newroot || fail "no overlay"
cd /newroot
for d in proc sys dev; do $b mkdir -p $d; $b mount --move /$d $d; done
$b mkdir -p run dev/pts dev/shm tmp
$b mount -t devpts p dev/pts; $b mount -t tmpfs t dev/shm
$b mount -t tmpfs t run; $b mkdir -p .${GUEST_EXCHANGE}
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=none ${EXCHANGE_TAG} .${GUEST_EXCHANGE} || fail "no exchange"
[ -e .${GUEST_EXCHANGE}/keep-tmp ] || $b mount -t tmpfs t tmp
$b mount -t tracefs t sys/kernel/tracing 2>/dev/null; $b mount -t debugfs d sys/kernel/debug 2>/dev/null
$b mount -t bpf b sys/fs/bpf 2>/dev/null; $b mount -t cgroup2 c sys/fs/cgroup 2>/dev/null
$b cp /bin/busybox /agent .${GUEST_HOME}/
exec $b switch_root /newroot ${GUEST_HOME}/busybox sh ${GUEST_HOME}/agent
`;
}

/** Program 1 after the step onto the host's files. */
export function agentScript(): string {
  return `h=${GUEST_HOME}; b=$h/busybox; x=$h/x
exec 3<>/dev/vport0p1
# The host's own shell: busybox would take its own ip.
/bin/sh $x/setup >$x/setup.log 2>&1
echo "ready $($b uname -r)" >&3
while read -r verb id signal <&3; do
  case $verb in
    run) ( $b setsid $b sh $x/$id.sh </dev/null >$x/$id.out 2>$x/$id.err 3>&-; echo "exit $id $?" >&3 ) & ;;
    kill) ( n=0; until [ -s $h/$id.pid ] || [ $n -ge 100 ]; do n=$((n+1)); $b sleep 0.1; done
            $b kill -s $signal -- -$($b cat $h/$id.pid) 2>/dev/null ) & ;;
    stop) break ;;
  esac
done
$b poweroff -f
`;
}

/** Quotes a word for the shell. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command as a script the agent runs: own folder, exactly this environment, signals as a terminal would give. */
export function commandScript(
  id: number,
  argv: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): string {
  const settings = Object.entries(env).map(([name, value]) => quote(`${name}=${value}`));
  return `echo $$ >${GUEST_HOME}/${id}.pid
cd ${quote(folder)} || exit 127
# A shell ignores these two in its background jobs; programs would inherit that.
exec /usr/bin/env -i --default-signal=INT,QUIT ${settings.join(' ')} ${argv.map(quote).join(' ')}
`;
}
