/** Starts and reads the UDP and TCP receivers inside a guest. */
import { join } from 'node:path';
import { RxError } from '../src/base/errors.js';
import { packageRoot } from '../src/sys/package.js';
import { SINK_PORT } from './frames.js';
import type { Guest } from './guest.js';
import type { Running } from './running.js';

/** What the receiver counted. */
export interface SinkCount {
  readonly received: number;
  readonly bytes: number;
  /** Its process in the guest. */
  readonly pid: number;
}

/** A running receiver. */
export interface Sink {
  readonly command: Running;
  /** Waits until the receiver has the datagrams it was told to wait for. */
  wait(): Promise<SinkCount>;
  /** Ends the receiver; returns what it has counted. */
  stop(): Promise<SinkCount>;
}

function failed(why: string): RxError {
  return new RxError('RXS_LAB', {
    doing: 'receiving in the guest',
    why,
    hint: 'build the project first: npm run build',
  });
}

/**
 * Starts a receiver on UDP `port` (9999 unless said) and returns once it listens.
 * @param options.count datagrams after which it ends by itself
 */
export async function startSink(
  guest: Guest,
  options: { readonly port?: number; readonly count?: number } = {},
): Promise<Sink> {
  const program = join(packageRoot, 'dist/lab/udp-sink.js');
  const port = options.port ?? SINK_PORT;
  const command = guest.start(['node', program, String(port), String(options.count ?? 0)]);
  const lines = command.lines();
  const first = await lines.next();
  if (first.value !== 'ready') {
    const { stderr } = await command.wait();
    throw failed(stderr.trim());
  }
  const wait = async (): Promise<SinkCount> => {
    const { stdout, stderr } = await command.wait();
    const match = /"received":(\d+),"bytes":(\d+),"pid":(\d+)/.exec(stdout);
    if (match === null) throw failed(`no count: ${stderr.trim()}`);
    return { received: Number(match[1]), bytes: Number(match[2]), pid: Number(match[3]) };
  };
  return {
    command,
    wait,
    stop: () => {
      command.kill('SIGTERM');
      return wait();
    },
  };
}

/** What the TCP receiver got. */
export interface TcpReceived {
  readonly bytes: number;
  /** Of all bytes, in hexadecimal. */
  readonly sha256: string;
  readonly pid: number;
}

/** Starts a receiver of one TCP connection and returns once it listens; `wait` gives what it got until the peer's FIN. */
export async function startTcpSink(
  guest: Guest,
  port: number,
): Promise<{ readonly command: Running; wait(): Promise<TcpReceived> }> {
  const command = guest.start(['node', join(packageRoot, 'dist/lab/tcp-sink.js'), String(port)]);
  const first = await command.lines().next();
  if (first.value !== 'ready') throw failed((await command.wait()).stderr.trim());
  return {
    command,
    wait: async () => {
      const { stdout, stderr } = await command.wait();
      const match = /^\{.*"sha256".*\}$/m.exec(stdout);
      if (match === null) throw failed(`no TCP connection was closed: ${stderr.trim()}`);
      return JSON.parse(match[0]) as TcpReceived;
    },
  };
}
