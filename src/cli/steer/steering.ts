/** The steering itself: remember, change, count, keep or take back. */
import { EXIT, RxError } from '../../base/errors.js';
import { irqsOfQueue } from '../../nic/resolve.js';
import { doStep } from '../../steer/apply.js';
import { gatherFacts } from '../../steer/facts.js';
import { parseFlowExpression } from '../../steer/flow-expression.js';
import { type FlowSpec, expand } from '../../steer/flow-spec.js';
import { type Candidate, type SteerPlan, type Step, type Way, planSteering } from '../../steer/plan.js';
import { irqText } from '../../steer/show.js';
import type { SteerState, Steering } from '../../steer/state.js';
import { type TakenBack, keepSteering, takeBack } from '../../steer/hold.js';
import { stepText } from '../../steer/step-text.js';
import { undoAbandoned, undoWhile } from '../../steer/undo.js';
import { type Foreground, runForeground } from '../../sys/foreground.js';
import { thisProcess } from '../../sys/process.js';
import type { SteerWish } from './options.js';
import { type SteerTarget, checkMayChange, forgetGone, loadState } from './target.js';
import { Verification } from './verification.js';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Why nothing could be done, way by way. */
function noSteering(
  target: SteerTarget,
  wish: SteerWish,
  reasons: readonly string[],
  notes: readonly string[],
): RxError {
  const { nic } = target;
  const more = wish.ways.includes('table') ? '' : '; without --by, the RSS table would be tried too';
  return new RxError('RXS_NO_STEERING', {
    doing: `steering to queue ${wish.queue} of`,
    subject: nic.name,
    why: [...reasons, ...notes].join('; '),
    hint: `what ${nic.driver ?? 'it'} can do: rxstamp steer ${nic.name} --show${more}`,
  });
}

/** Runs `steer IFACE FLOW --queue N`. @returns the exit code */
export async function runSteering(target: SteerTarget, wish: SteerWish): Promise<number> {
  const spec = parseFlowExpression(wish.flow);
  const { nic } = target;
  irqsOfQueue(nic, wish.queue);
  if (nic.rxQueues === 1) {
    throw noSteering(
      target,
      wish,
      [`${nic.name} has one receive queue: everything comes there, and there is nothing to steer`],
      [],
    );
  }
  if (wish.dryRun) return new SteeringRun(target, wish, spec).dryRun();
  checkMayChange();
  return new SteeringRun(target, wish, spec).run(await Verification.open(target, expand(spec), wish));
}

/** What counts around a steering, or a script of counts in tests. */
export type Counting = Pick<
  Verification,
  'baseline' | 'before' | 'changing' | 'changed' | 'watch' | 'verdict' | 'close'
>;

/** One run of the command, from the first look to what is kept or taken back. */
export class SteeringRun {
  private readonly target: SteerTarget;
  private readonly wish: SteerWish;
  private readonly spec: FlowSpec;
  /** Those that were not tried yet. */
  private ways: readonly Way[];
  private check: Counting | undefined;
  private readonly owner = thisProcess();
  private stopped = false;
  /** Something may have been changed that is neither kept nor taken back yet. */
  private holding = false;
  private running: Foreground | undefined;
  /** Ends with the command; never fails. */
  private over: Promise<unknown> | undefined;
  private readonly stop = (signal: NodeJS.Signals): void => {
    this.stopped = true;
    // Ctrl-C reaches the command by itself.
    if (signal !== 'SIGINT') this.running?.kill(signal);
  };

  constructor(target: SteerTarget, wish: SteerWish, spec: FlowSpec) {
    this.target = target;
    this.wish = wish;
    this.spec = spec;
    this.ways = wish.ways;
  }

  /** Says what would be tried. @throws RxError RXS_NO_STEERING */
  dryRun(): number {
    const plan = this.plan();
    if (plan.candidates.length === 0) throw this.refused(plan, []);
    for (const candidate of plan.candidates) this.announce(candidate, 'would try');
    for (const { why } of plan.reasons) say(`not possible: ${why}`);
    return EXIT.ok;
  }

  /**
   * Steers. Whatever goes wrong, nothing stays that was not to stay, or it is said.
   * @returns the exit code
   * @throws RxError RXS_NO_STEERING, RXS_STEER_FAILED, RXS_STATE
   */
  async run(check: Counting): Promise<number> {
    const { target } = this;
    this.check = check;
    // Never taken off again: a signal must not end the process between a change and its undo.
    process.on('SIGINT', this.stop).on('SIGTERM', this.stop).on('SIGHUP', this.stop);
    try {
      await check.baseline(() => this.stopped);
      for (;;) {
        if (this.stopped) return EXIT.failure;
        const steering = await target.folder.locked(() => this.change());
        check.changed(steering.way);
        const code = await this.judge(check, steering);
        if (code !== undefined) return code;
        say('trying the next way');
      }
    } catch (error) {
      await this.release();
      throw error;
    } finally {
      check.close();
      // A command that goes on keeps the terminal.
      await this.over;
    }
  }

  private plan(): SteerPlan {
    const { target, wish } = this;
    return planSteering(
      this.spec,
      wish.queue,
      gatherFacts(target.nic, target.settings, this.check?.before()),
      this.ways,
    );
  }

  private refused(plan: SteerPlan, refusals: readonly string[]): RxError {
    const several = expand(this.spec).length > 1 && refusals.length > 0;
    const note = several
      ? [
          `the flow needs ${expand(this.spec).length} rules; narrowed with ip or ip6, udp or tcp it needs fewer`,
        ]
      : [];
    return noSteering(this.target, this.wish, [...refusals, ...plan.reasons.map(({ why }) => why)], note);
  }

  private announce({ way, steps, moves }: Candidate, verb: string): void {
    if (steps.length === 0) {
      say(`${this.target.nic.name} is set so already (${way}): nothing to change`);
      return;
    }
    for (const step of steps) say(`${verb}: ${stepText(step)}`);
    if (moves !== undefined) say(`note: ${moves}`);
  }

  /** Under the lock: takes off what dead processes left, then tries the ways in order. */
  private change(): Steering {
    const { target, wish } = this;
    forgetGone(target);
    const state = loadState(target);
    this.holding = true;
    const old = undoAbandoned(state, target.settings);
    for (const line of old.lines) say(`left by a process that died: ${line}`);
    const plan = this.plan();
    this.check?.changing();
    const refusals: string[] = [];
    for (const candidate of plan.candidates) {
      this.announce(candidate, 'changing');
      const steering: Steering = {
        flow: wish.flow,
        queue: wish.queue,
        way: candidate.way,
        at: new Date().toISOString(),
        owner: this.owner,
        phase: 'held',
        ended: false,
        steps: [],
      };
      const why = this.tryWay(state, steering, candidate.steps);
      this.ways = this.ways.slice(this.ways.indexOf(candidate.way) + 1);
      if (why === undefined) return steering;
      refusals.push(why);
      say(`refused: ${why}`);
    }
    throw this.refused(plan, refusals);
  }

  private tryWay(state: SteerState, steering: Steering, steps: readonly Step[]): string | undefined {
    const { settings } = this.target;
    if (steps.length === 0) return undefined;
    state.steerings.push(steering);
    for (const step of steps) {
      steering.steps.push(step);
      state.save();
      const why = doStep(settings, step, () => state.save());
      if (why === undefined) continue;
      // Of this steering nothing may stay.
      const undone = undoWhile(state, settings, (top) => top === steering);
      return undone.incomplete ? `${why}; ${undone.lines.join(', ')}` : why;
    }
    return undefined;
  }

  /** @returns the exit code; undefined: it did not work and was undone, and there is another way to try */
  private async judge(check: Counting, made: Steering): Promise<number | undefined> {
    const { wish } = this;
    const place = `${wish.flow} → queue ${wish.queue} → ${irqText(this.target.nic, wish.queue)}\n`;
    if (!wish.forThisRun) {
      await check.watch(wish.verifyNs, () => this.stopped);
      const kept = await this.settle(check, made, this.stopped ? EXIT.failure : undefined);
      if (kept === EXIT.ok || kept === EXIT.unverified) process.stdout.write(place);
      return kept;
    }
    (wish.command.length > 0 ? process.stderr : process.stdout).write(place);
    const running = wish.command.length > 0 ? runForeground(wish.command) : undefined;
    this.running = running;
    let code: number | undefined;
    let failure: unknown;
    this.over = running?.done.then(
      (ended) => (code = ended),
      (error: unknown) => (failure = error),
    );
    const ended = (): boolean => code !== undefined || failure !== undefined;
    // A command is left to end by itself: Ctrl-C reaches it as well.
    const done = (): boolean => (running === undefined ? this.stopped : ended());
    if (running === undefined) say('in force until Ctrl-C, or the end of --duration');
    await check.watch(wish.durationNs ?? Number.POSITIVE_INFINITY, done, running === undefined);
    if (running !== undefined && !ended())
      say('--duration is over: the command goes on without the steering');
    const result = await this.settle(check, made, undefined);
    await this.over;
    if (failure !== undefined) throw failure;
    return running === undefined || code === 0 ? result : code;
  }

  /** Keeps or takes back, by what was counted. @param interrupted exit code where the user ended it early */
  private async settle(
    check: Counting,
    made: Steering,
    interrupted: number | undefined,
  ): Promise<number | undefined> {
    const { wish, target } = this;
    const { verdict, words } = check.verdict();
    say(words);
    const keep = !wish.forThisRun && verdict !== 'elsewhere' && interrupted === undefined;
    const back = keep ? await this.keep(made) : await this.takeBack();
    if (verdict === 'elsewhere') {
      const undone = !back?.incomplete && !back?.waits;
      // A command has had its run; without one, a wider way may work.
      const again = undone && wish.command.length === 0 && !this.stopped;
      if (again && this.plan().candidates.length > 0) return undefined;
      throw new RxError('RXS_STEER_FAILED', {
        doing: `steering to queue ${wish.queue} of`,
        subject: target.nic.name,
        why:
          made.steps.length === 0
            ? 'the NIC is set so already, and yet packets of the flow come elsewhere'
            : `the driver accepted it, but packets of the flow came elsewhere; ${fate(back)}`,
        hint: 'the counts are in the lines above; try another --by',
      });
    }
    if (interrupted !== undefined) return interrupted;
    // Asked for was that everything is as before.
    if (back?.incomplete) return EXIT.failure;
    return verdict === 'verified' ? EXIT.ok : EXIT.unverified;
  }

  private async keep(made: Steering): Promise<undefined> {
    const kept = await this.target.folder.locked(() => keepSteering(loadState(this.target), made));
    this.holding = false;
    if (kept) say(`undo with: rxstamp steer ${this.target.nic.name} --undo`);
  }

  private async takeBack(): Promise<TakenBack> {
    const { folder, settings } = this.target;
    const back = await folder.locked(() => takeBack(loadState(this.target), settings, this.owner));
    this.holding = false;
    for (const line of back.lines) say(line);
    if (back.waits) say('a newer steering lies on top: this one is undone together with it');
    return back;
  }

  /** After an error: nothing of this run may stay. The error is told, so this one is only said. */
  private async release(): Promise<void> {
    if (!this.holding) return;
    try {
      await this.takeBack();
    } catch (error) {
      say(`not undone: ${error instanceof Error ? error.message : String(error)}`);
      say(`the next steer takes it back, or: rxstamp steer ${this.target.nic.name} --undo`);
    }
  }
}

/** What became of a steering that was to be taken back, in words. */
function fate(back: TakenBack | undefined): string {
  if (back?.incomplete) return 'it is not undone in full: the lines above say what is left';
  return back?.waits ? 'it is undone together with the newer one on top' : 'it was undone';
}
