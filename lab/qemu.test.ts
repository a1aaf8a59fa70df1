import { describe, expect, it } from 'vitest';
import { parseNic } from './nics.js';
import { type QemuOptions, qemuArguments } from './qemu.js';

const base: QemuOptions = {
  kernel: '/k/vmlinuz',
  initramfs: '/k/initramfs',
  cpus: 2,
  memory: 1024,
  nic: parseNic('igb,queues=2', 2),
  frameSocket: '/s/frames',
  controlSocket: '/s/control',
  exchange: '/run/exchange',
  consoleLog: '/run/console.log',
  icount: false,
  trace: [],
  traceLog: '/run/trace.log',
  append: '',
};

/** Values that follow a flag. */
function valuesOf(flag: string, args: readonly string[]): string[] {
  return args.flatMap((word, index) => (args[index - 1] === flag ? [word] : []));
}

describe('qemuArguments', () => {
  const args = qemuArguments(base);

  it('shares the root of the host read-only and the exchange folder read-write', () => {
    const shares = valuesOf('-fsdev', args);
    expect(shares.find((share) => share.includes('path=/,'))).toContain('readonly=on');
    expect(shares.find((share) => share.includes('path=/run/exchange'))).not.toContain('readonly');
  });

  it('gives the NIC the socket of frames', () => {
    expect(valuesOf('-netdev', args)).toEqual(['stream,id=n0,server=on,addr.type=unix,addr.path=/s/frames']);
    expect(valuesOf('-device', args)).toContain('igb,netdev=n0,mac=52:54:00:77:00:01,romfile=');
  });

  it('gives a NIC with several virtio queues a tap with as many, and a vector for each of their directions', () => {
    const several = qemuArguments({ ...base, nic: parseNic('virtio,queues=2', 2) });
    expect(valuesOf('-netdev', several)).toEqual([
      'tap,id=n0,ifname=rxtap0,queues=2,script=no,downscript=no,vhost=off',
    ]);
    expect(valuesOf('-device', several)).toContain(
      'virtio-net-pci,netdev=n0,mac=52:54:00:77:00:01,romfile=,mq=on,vectors=6,rss=on',
    );
  });

  it('ends the guest on a panic instead of starting it again', () => {
    expect(args).toContain('-no-reboot');
    expect(valuesOf('-append', args)[0]).toMatch(/panic=-1/);
  });

  it('runs all CPUs in one thread, and no groups of sessions: what kills guests otherwise', () => {
    expect(valuesOf('-accel', args)).toEqual(['tcg,thread=single']);
    expect(valuesOf('-append', args)[0]).toMatch(/ noautogroup /);
  });

  it('counts instructions on one CPU', () => {
    const counted = qemuArguments({ ...base, icount: true });
    expect(valuesOf('-icount', counted)).toEqual(['shift=0']);
    expect(valuesOf('-smp', counted)).toEqual(['1']);
    expect(valuesOf('-accel', counted)).toEqual(['tcg,thread=single']);
    expect(valuesOf('-icount', args)).toEqual([]);
    // Costs that were counted before stay comparable: same CPU, same kernel.
    expect(valuesOf('-cpu', counted)).toEqual(['max']);
    expect(valuesOf('-append', counted)[0]).not.toMatch(/init_on_alloc|noautogroup/);
    expect(valuesOf('-cpu', args)).toEqual(['max,erms=off,fsrm=off']);
  });

  it('logs trace events with the time of the host', () => {
    const traced = qemuArguments({ ...base, trace: ['igb_irq*', 'e1000e_rx*'] });
    expect(valuesOf('-trace', traced)).toEqual(['igb_irq*', 'e1000e_rx*']);
    expect(valuesOf('-D', traced)).toEqual(['/run/trace.log']);
    expect(valuesOf('-msg', traced)).toEqual(['timestamp=on']);
  });

  it('adds words to the command line of the kernel, and firmware of a private QEMU', () => {
    const more = qemuArguments({ ...base, append: 'threadirqs', data: '/q/data' });
    expect(valuesOf('-append', more)[0]).toMatch(/ threadirqs$/);
    expect(valuesOf('-L', more)).toEqual(['/q/data']);
  });

  it('has no network without a NIC', () => {
    expect(valuesOf('-netdev', qemuArguments({ ...base, nic: undefined }))).toEqual([]);
  });

  it('doubles commas in paths', () => {
    expect(qemuArguments({ ...base, consoleLog: '/a,b' })).toContain('file,id=console,path=/a,,b');
  });
});
