/** Simulated avatar: the avatar's side of protocol.md, for tests, the demo, and users without an avatar. */
export { compareHeard, type HeardComparison } from './compare.js';
export { parseContent, readContent, type ContentRule, type ContentStep } from './content.js';
export { saveWav, wavBytes } from './heard-wav.js';
export type { SimulatorAccidents, SimulatorEvents, SimulatorOptions } from './options.js';
export { Playback, type DropReason, type Gap, type PlaybackOptions } from './playback.js';
export { AvatarReceiver, type ReceiverAction, type ReceiverState } from './receiver.js';
export type { HeardRun, JoinOptions } from './recording.js';
export type { Death, DeathCause, ReceivedCommand, SimulatorReport, SimulatorState } from './report.js';
export { RULES, RuleLog, type BrokenRule, type RuleId, type Severity } from './rules.js';
export { BLOCK_SAMPLES, type SegmentReport } from './segments.js';
export { SimulatedAvatar } from './simulator.js';
export type { PluginSpeech, SynthPluginOptions } from './synth-plugin.js';
