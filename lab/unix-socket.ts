/** Connects to a unix socket that another process is about to open. */
import { type Socket, createConnection } from 'node:net';

const RETRY_MS = 5;

function once(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/**
 * The connection to `path`, tried again while nobody listens there yet: the file of a socket appears (bind) before
 * anyone can connect to it (listen).
 * @param check called before each try; throws to give up
 */
export async function connectWhenOpen(path: string, check: () => void): Promise<Socket> {
  for (;;) {
    check();
    try {
      return await once(path);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
