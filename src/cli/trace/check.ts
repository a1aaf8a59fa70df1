/** What must be there before anything is loaded. */
import { RxError } from '../../base/errors.js';
import { effectiveCapabilities, missingForTracing } from '../../sys/caps.js';

/** Fails when the process may not load tracing programs. @throws RxError RXS_NO_PRIVILEGE naming the capabilities */
export function checkPrivileges(): void {
  const have = effectiveCapabilities();
  const missing = have === undefined ? [] : missingForTracing(have);
  if (missing.length === 0) return;
  throw new RxError('RXS_NO_PRIVILEGE', {
    doing: 'loading the tracing programs',
    why: `this process lacks ${missing.join(' and ')}`,
    hint: 'run it with sudo, or grant cap_bpf,cap_perfmon (or cap_sys_admin) to the node binary',
  });
}
