/** Sends UDP datagrams for a bounded time: `node udp-load.js ADDRESS PORT PER_SECOND MILLISECONDS`. Prints how many. */
import { createSocket } from 'node:dgram';

const [address = '', port, perSecond, milliseconds] = process.argv.slice(2);
const TICK_MS = 2;
const HEAD = 46;

const socket = createSocket('udp4');
// Nobody needs to listen there: what comes back as ICMP is no reason to stop.
socket.on('error', () => {});
const parent = process.ppid;
const started = performance.now();
const end = started + Math.min(Number(milliseconds), 600_000);
let sent = 0;

function turn(): void {
  const now = performance.now();
  // Whoever wanted the traffic may have been killed.
  if (now >= end || process.ppid !== parent) {
    process.stdout.write(`${sent}\n`);
    socket.close();
    return;
  }
  const due = Math.floor(((now - started) / 1000) * Number(perSecond));
  for (; sent < due; sent++) {
    const payload = Buffer.alloc(HEAD);
    payload.writeUInt32BE(sent);
    socket.send(payload, Number(port), address);
  }
  setTimeout(turn, TICK_MS);
}
turn();
