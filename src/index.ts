/**
 * mmdagent-audio-bridge: gives an MMDAgent-EX avatar its voice. Start with `createBridge`.
 * @packageDocumentation
 */
export type { Agent } from './agent/agent.js';
export type { CaptionOptions, SayOptions, SayText } from './agent/say.js';
export { loadBridgeConfig, type BridgeConfig } from './narration/config-file.js';
export { createBridge, type Bridge, type BridgeEvents, type BridgeOptions } from './bridge.js';
export type { AgentEvents, AvatarEvents } from './agent/agent-events.js';
export type { AgentSnapshot, AgentState, SpeechSnapshot } from './agent/snapshot.js';
export type { AgentGroup, GroupSpeech } from './agent/group.js';
export type { RoundTrip } from './agent/connection.js';
export type { SpeechStream } from './agent/speech-stream.js';
export type { AgentMessage } from './agent/wire.js';
export * from './agent/messages.js';
export type { SoundInput, SoundInputOptions } from './audio/input.js';
export type { LatencyFigures, LiveLatency } from './audio/latency.js';
export type { RawFormat } from './audio/decode/raw.js';
export type { PcmBlock, Sound, SoundContext, SoundInfo } from './audio/pcm.js';
export { BridgeError, ERRORS, type ErrorCode, type ErrorEntry, type ErrorKind } from './base/errors.js';
export type { Logger } from './base/logger.js';
export { parseCueFile } from './speech/cue-file.js';
export type { Cue } from './speech/cues.js';
export { gatedSound, type GatedOptions } from './source/gated.js';
export { microphoneSound, type MicrophoneOptions, type MicrophoneSound } from './source/microphone.js';
export type { Interruption } from './speech/player-context.js';
export type {
  GapCount,
  Speech,
  SpeechEnd,
  SpeechEndKind,
  SpeechEvents,
  SpeechOptions,
  SpeechPosition,
  SpeechState,
} from './speech/speech.js';
export { ENGINES, type EngineChoice } from './tts/engines.js';
export { Dictionary } from './tts/dictionary.js';
export type {
  EngineCapabilities,
  PhonemeTiming,
  SpeechFunction,
  SynthesisContext,
  SynthesisPart,
  TextSpan,
  TtsEngine,
  Voice,
  VoiceOptions,
} from './tts/engine.js';
export type { TagTable } from './tts/tags.js';
export {
  compareHeard,
  SimulatedAvatar,
  type HeardComparison,
  type SimulatorOptions,
  type SimulatorReport,
} from './simulator/index.js';
