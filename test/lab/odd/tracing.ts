/** What the tests of odd machines share. */
export { GuestTrace, type Traced, outOfOrder, phaseFrames, receiveIrqs, sh } from '../guest-trace.js';
