/** Checks of the machine: what tracing needs, and what moves a stamp on every interface. */
import { CAPABILITY_USES, effectiveCapabilities, missingForTracing } from '../sys/caps.js';
import { deepestIdle } from '../sys/cpuidle.js';
import type { KernelFiles } from '../sys/files.js';
import { kernelConfig, kernelRelease } from '../sys/kernel-config.js';
import { type Check, type Finding, machineCheck } from './finding.js';

const sysctl = (files: KernelFiles, name: string): string | undefined =>
  files.text(`/proc/sys/${name.replaceAll('.', '/')}`);

function privileges(files: KernelFiles): Finding {
  const have = effectiveCapabilities(files);
  if (have === undefined) return { level: 'unknown', found: '/proc/self/status does not list capabilities' };
  const missing = missingForTracing(have);
  if (missing.length === 0) return { level: 'ok', found: [...have].join(' ') };
  return {
    level: 'problem',
    found: `${missing.join(' and ')} missing`,
    effect: `without: ${missing.map((name) => CAPABILITY_USES[name]).join('; ')}`,
    cure: 'run it with sudo',
  };
}

function btf(files: KernelFiles): Finding {
  if (files.has('/sys/kernel/btf/vmlinux')) return { level: 'ok', found: '/sys/kernel/btf/vmlinux' };
  return {
    level: 'problem',
    found: 'no /sys/kernel/btf/vmlinux',
    effect: 'the programs cannot find the kernel structures they read',
    cure: 'use a kernel built with CONFIG_DEBUG_INFO_BTF=y (Debian: 5.10 and newer)',
  };
}

function lockdown(files: KernelFiles): Finding {
  const text = files.ask('/sys/kernel/security/lockdown');
  if (!text.known) {
    const config = kernelConfig(files)?.get('CONFIG_SECURITY_LOCKDOWN_LSM');
    if (config === 'n') return { level: 'ok', found: 'not built into this kernel' };
    return {
      level: 'unknown',
      found: text.why,
      cure: 'mount -t securityfs securityfs /sys/kernel/security',
      undo: 'umount /sys/kernel/security',
    };
  }
  const mode = /\[(\w+)\]/.exec(text.value)?.[1] ?? text.value;
  if (mode !== 'confidentiality') return { level: 'ok', found: mode };
  return {
    level: 'problem',
    found: 'confidentiality',
    effect: 'BPF programs may not read kernel memory, so nothing can be joined',
    cure: 'boot without lockdown=confidentiality',
  };
}

function tracefs(files: KernelFiles): Finding {
  const where = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'].find((path) =>
    files.has(`${path}/trace`),
  );
  if (where !== undefined) return { level: 'ok', found: where };
  return {
    level: 'note',
    found: 'not mounted, or not readable by this user',
    effect: 'none on the eBPF method; the ftrace, kprobe and perf methods need it',
    cure: 'mount -t tracefs tracefs /sys/kernel/tracing',
    undo: 'umount /sys/kernel/tracing',
  };
}

function jit(files: KernelFiles): Finding | undefined {
  const value = sysctl(files, 'net.core.bpf_jit_enable');
  if (value === undefined) return { level: 'unknown', found: 'net.core.bpf_jit_enable cannot be read' };
  if (value !== '0') return { level: 'ok', found: `net.core.bpf_jit_enable = ${value}` };
  return {
    level: 'note',
    found: 'net.core.bpf_jit_enable = 0: programs are interpreted',
    effect: 'each stamp costs several times as much, and stamps later in the same chain move later by it',
    cure: 'sysctl -w net.core.bpf_jit_enable=1',
    undo: 'sysctl -w net.core.bpf_jit_enable=0',
  };
}

function bpfStats(files: KernelFiles): Finding | undefined {
  if (sysctl(files, 'kernel.bpf_stats_enabled') !== '1') return undefined;
  return {
    level: 'note',
    found: 'kernel.bpf_stats_enabled = 1',
    effect: 'the kernel times every program: 25 to 50 ns more per hook, all later stamps move by it',
    cure: 'sysctl -w kernel.bpf_stats_enabled=0',
    undo: 'sysctl -w kernel.bpf_stats_enabled=1',
  };
}

function clocksource(files: KernelFiles): Finding {
  const found = files.text('/sys/devices/system/clocksource/clocksource0/current_clocksource');
  if (found === undefined) return { level: 'unknown', found: 'sysfs does not name the clock source' };
  if (/^(tsc|kvm-clock|hyperv_clocksource_tsc_page|arch_sys_counter)$/.test(found))
    return { level: 'ok', found };
  return {
    level: 'note',
    found,
    effect: `reading ${found} takes about a microsecond instead of some 20 ns; every later stamp of a chain is late by it`,
    cure: 'echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource (if tsc is in available_clocksource)',
    undo: `echo ${found} > /sys/devices/system/clocksource/clocksource0/current_clocksource`,
  };
}

function threadedInterrupts(files: KernelFiles): Finding | undefined {
  const realtime = files.text('/sys/kernel/realtime') === '1';
  const asked = /(^|\s)threadirqs(\s|$)/.test(files.text('/proc/cmdline') ?? '');
  if (!realtime && !asked) return undefined;
  return {
    level: 'note',
    found: realtime ? 'PREEMPT_RT: handlers run in threads' : 'threadirqs: handlers run in threads',
    effect:
      'entry and isr stay where they are; raise and all later stages come after the thread was scheduled',
    ...(realtime ? {} : { cure: 'boot without threadirqs' }),
  };
}

function idle(files: KernelFiles): Finding | undefined {
  const deepest = deepestIdle(files);
  if (deepest === undefined) return { level: 'ok', found: 'no idle states under the control of cpuidle' };
  if (deepest.latencyUs < 2)
    return { level: 'ok', found: `deepest ${deepest.name}, ${deepest.latencyUs} µs to wake` };
  return {
    level: 'note',
    found: `deepest ${deepest.name}, up to ${deepest.latencyUs} µs to wake`,
    effect: `the first interrupt after idle is entered up to ${deepest.latencyUs} µs late, and so is its stamp`,
    cure: `cpupower idle-set -D 1   (or hold /dev/cpu_dma_latency open with 0 in it)`,
    undo: 'cpupower idle-set -E',
  };
}

function busyPoll(files: KernelFiles): Finding {
  const values = ['net.core.busy_poll', 'net.core.busy_read'].map((name) => ({
    name,
    value: sysctl(files, name),
  }));
  const on = values.filter(({ value }) => value !== undefined && value !== '0');
  if (values.every(({ value }) => value === undefined))
    return { level: 'unknown', found: 'sysctls not readable' };
  if (on.length === 0)
    return { level: 'ok', found: 'off by default (a program may still ask with SO_BUSY_POLL)' };
  return {
    level: 'note',
    found: on.map(({ name, value }) => `${name} = ${value} µs`).join(', '),
    effect:
      'a reader polls the NIC itself: such packets have no interrupt of their own and are shown as busy-poll',
    cure: `sysctl -w ${on.map(({ name }) => `${name}=0`).join(' ')}`,
    undo: `sysctl -w ${on.map(({ name, value }) => `${name}=${value}`).join(' ')}`,
  };
}

function irqbalance(files: KernelFiles): Finding {
  const running = files
    .list('/proc')
    .some((entry) => /^\d+$/.test(entry) && files.text(`/proc/${entry}/comm`) === 'irqbalance');
  if (!running) return { level: 'ok', found: 'not running' };
  return {
    level: 'note',
    found: 'running',
    effect: 'a queue may move to another CPU during a trace; stamps stay right, their CPU column changes',
    cure: 'systemctl stop irqbalance',
    undo: 'systemctl start irqbalance',
  };
}

/** All checks of the machine, in the order they are shown. */
export const MACHINE_CHECKS: readonly Check[] = [
  machineCheck('kernel', 'kernel', (files) => ({
    level: 'ok',
    found: kernelRelease(files) || 'release not readable',
  })),
  machineCheck('privileges', 'privileges', privileges),
  machineCheck('btf', 'type information', btf),
  machineCheck('lockdown', 'lockdown', lockdown),
  machineCheck('jit', 'BPF compiler', jit),
  machineCheck('bpf-stats', 'BPF statistics', bpfStats),
  machineCheck('tracefs', 'tracefs', tracefs),
  machineCheck('clocksource', 'clock source', clocksource),
  machineCheck('threaded-irqs', 'threaded interrupts', threadedInterrupts),
  machineCheck('idle', 'idle states', idle),
  machineCheck('busy-poll', 'busy polling', busyPoll),
  machineCheck('irqbalance', 'irqbalance', irqbalance),
];
