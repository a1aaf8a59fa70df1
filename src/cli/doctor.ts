/** `rxstamp doctor`: how early a stamp can be here, and what stands in the way. */
import type { Command } from 'commander';
import type { Nic } from '../nic/nic.js';
import type { StageReport } from '../feature/hooks.js';

interface DoctorFlags {
  readonly json?: true;
  readonly all?: true;
}

/** The stages as this machine has them; an empty list with a finding when libbpf is not there. */
async function stages(): Promise<readonly StageReport[]> {
  const { hookProbe, hookReport, withPreemptCount } = await import('../feature/hooks.js');
  const { hostHooks } = await import('../feature/host-hooks.js');
  const door = hostHooks();
  try {
    return hookReport(withPreemptCount(hookProbe(door), door.hasPreemptCount()));
  } finally {
    door.close();
  }
}

async function chooseNic(iface: string | undefined): Promise<Nic | undefined> {
  const { defaultRouteInterface, resolveNic } = await import('../nic/resolve.js');
  if (iface !== undefined) return resolveNic(iface);
  const { RxError } = await import('../base/errors.js');
  try {
    return resolveNic(defaultRouteInterface());
  } catch (error) {
    if (error instanceof RxError && error.code === 'RXS_NO_DEFAULT_ROUTE') return undefined;
    throw error;
  }
}

async function doctor(iface: string | undefined, flags: DoctorFlags): Promise<void> {
  const { examine, nicTexts, verdict } = await import('../feature/doctor.js');
  const { HOST } = await import('../sys/files.js');
  const { runProgram } = await import('../sys/programs.js');
  const { EXIT, RxError } = await import('../base/errors.js');

  const nic = await chooseNic(iface);
  const texts = nic === undefined ? undefined : await nicTexts(nic, runProgram);
  const findings = examine({ files: HOST, nic, texts });
  let ladder: readonly StageReport[] = [];
  try {
    ladder = await stages();
  } catch (error) {
    if (!(error instanceof RxError)) throw error;
    findings.unshift({
      id: 'libbpf',
      title: 'libbpf',
      group: 'machine',
      level: 'problem',
      found: error.message,
      cure: error.hint,
    });
  }
  const conclusion = verdict(ladder, findings, nic);
  process.exitCode = conclusion.works ? EXIT.ok : EXIT.failure;
  const document = {
    schema: 'rxstamp.doctor/1',
    interface: nic?.name ?? null,
    verdict: conclusion,
    stages: ladder,
    findings,
  } as const;
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const { doctorText } = await import('../feature/doctor-text.js');
  const style = {
    width: Math.min(process.stdout.columns ?? 110, 140),
    color: process.stdout.isTTY && !process.env['NO_COLOR'],
    all: flags.all ?? false,
  };
  process.stdout.write(`${doctorText(document, style).join('\n')}\n`);
}

/** Adds `rxstamp doctor` to the command tree. */
export function addDoctor(root: Command): void {
  root
    .command('doctor')
    .description('say how early a stamp can be here, what stands in the way, and what it would take')
    .argument('[interface]', 'interface to look at; without it the one of the default route')
    .option('--all', 'every way of every stage, not only up to the first that works')
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      `
Changes nothing: cures are commands to copy, each with its undo. Exit code 0 when a trace will work, 1 when not.
Hooks are tried, not guessed from the version: a two-instruction program is loaded, attached and taken off again.

Examples:
  rxstamp doctor eth0
  rxstamp doctor --json | jq -r '.verdict.sentence'`,
    )
    .action(doctor);
}
