/** All methods, each loaded when it is asked for. */
import type { Method } from './method.js';
import type { MethodName } from './names.js';

/** How each method is loaded; those that are not here yet cannot be chosen. */
export const METHODS: Readonly<Partial<Record<MethodName, () => Promise<Method>>>> = {
  ebpf: async () => (await import('./ebpf/method.js')).ebpf,
};
