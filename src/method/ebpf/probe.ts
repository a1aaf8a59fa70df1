/** Asks the running kernel about hooks: in its BTF, and for fentry by really attaching a two-instruction program. */
import { errnoText } from '../../sys/libc.js';
import { type KernelBtf, tryFentry } from '../../sys/libbpf.js';
import type { Hook } from '../../stages.js';
import type { HookAnswer, HookProbe } from './plan.js';

const EBUSY = 16;
const EPERM = 1;

function fentryReason(failure: { readonly step: 'load' | 'attach'; readonly errno: number }): string {
  const name = errnoText(failure.errno);
  if (failure.step === 'load' && failure.errno === EPERM) {
    return `${name}: this kernel refuses fentry programs (tracepoint programs are allowed)`;
  }
  if (failure.step === 'attach' && failure.errno === EBUSY) {
    return `${name}: no patchable call at its entry (noinstr, or CONFIG_FUNCTION_TRACER is off)`;
  }
  return `${name} when ${failure.step === 'load' ? 'loading' : 'attaching'}`;
}

/** A probe over the kernel's BTF; every answer is found once. */
export function kernelProbe(btf: KernelBtf): HookProbe {
  const answers = new Map<string, HookAnswer>();
  const ask = (hook: Hook): HookAnswer => {
    if (hook.kind === 'tp_btf') {
      return btf.has(`btf_trace_${hook.target}`, 'TYPEDEF')
        ? { possible: 'yes', reason: '' }
        : { possible: 'no', reason: 'no such tracepoint in this kernel' };
    }
    const id = btf.id(hook.target, 'FUNC');
    if (id <= 0) return { possible: 'no', reason: 'not a function of this kernel (absent or inlined)' };
    const failure = tryFentry(id);
    return failure === undefined
      ? { possible: 'yes', reason: '' }
      : { possible: 'no', reason: fentryReason(failure) };
  };
  return (hook) => {
    const key = `${hook.kind}/${hook.target}`;
    const answer = answers.get(key) ?? ask(hook);
    answers.set(key, answer);
    return answer;
  };
}
