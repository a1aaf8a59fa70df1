/**
 * The TCP receiver inside a guest: `node dist/lab/tcp-sink.js PORT`. Says `ready` once it listens, takes one connection,
 * and prints `{"bytes":N,"sha256":"…","pid":N}` when the peer has sent its FIN, or at SIGTERM.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';

const port = Number(process.argv[2] ?? 0);
const hash = createHash('sha256');
let bytes = 0;

function finish(): void {
  process.stdout.write(`${JSON.stringify({ bytes, sha256: hash.digest('hex'), pid: process.pid })}\n`);
}

const server = createServer((socket) => {
  server.close();
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  // The socket answers with its own FIN, and the program ends when that is through.
  socket.on('end', finish);
  socket.on('error', (error) => {
    process.stderr.write(`receiving on TCP port ${port}: ${error.message}\n`);
    process.exitCode = 1;
  });
});
server.on('error', (error) => {
  process.stderr.write(`listening on TCP port ${port}: ${error.message}\n`);
  process.exitCode = 1;
});
server.listen(port, '::', () => process.stdout.write('ready\n'));
process.once('SIGTERM', () => {
  finish();
  process.exit(1);
});
