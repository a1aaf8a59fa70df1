/**
 * The receiver inside a guest: `node dist/lab/udp-sink.js [PORT] [COUNT]`. Says `ready` once it listens, counts and
 * drops what comes on IPv4 and IPv6, and prints `{"received":N,"bytes":N,"pid":N}` after COUNT datagrams
 * or at SIGTERM/SIGINT.
 */
import { createSocket } from 'node:dgram';
import { SINK_PORT } from './frames.js';

const port = Number(process.argv[2] ?? SINK_PORT);
const limit = Number(process.argv[3] ?? 0);
let received = 0;
let bytes = 0;

function finish(): void {
  process.stdout.write(`${JSON.stringify({ received, bytes, pid: process.pid })}\n`);
  process.exit(0);
}

const socket = createSocket('udp6');
socket.on('message', (message) => {
  received++;
  bytes += message.length;
  if (received === limit) finish();
});
socket.on('error', (error) => {
  process.stderr.write(`listening on UDP port ${port}: ${error.message}\n`);
  process.exit(1);
});
socket.bind(port, '::', () => process.stdout.write('ready\n'));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, finish);
