/**
 * mmdagent-audio-bridge: gives an MMDAgent-EX avatar its voice. Start with `createBridge`.
 * @packageDocumentation
 */
export type { Agent } from './agent/agent.js';
export type { CaptionOptions, SayOptions, SayText } from './agent/say.js';
export type { BridgeConfig } from './narration/config-file.js';
export type { Bridge, BridgeEvents, BridgeOptions } from './bridge.js';
export {
  attachService,
  createBridge,
  listEngines,
  loadBridgeConfig,
  parseCueFile,
  type EngineInfo,
} from './on-demand.js';
export type { AgentEvents, AvatarEvents } from './agent/agent-events.js';
export type { AgentGroup, GroupSpeech } from './agent/group.js';
export type { RoundTrip } from './agent/connection.js';
/** Builders of the avatar's commands: `commands.motion.add('0', 'nod', 'nod.vmd')`. */
export * as commands from './agent/commands.js';
export * from './agent/messages.js';
export type { AgentSnapshot, AgentState, SpeechSnapshot } from './agent/snapshot.js';
export type { SpeechStream } from './agent/speech-stream.js';
export type { AgentMessage } from './agent/wire.js';
export type { RawEncoding, RawFormat } from './audio/decode/raw.js';
export type { SoundInput, SoundInputOptions } from './audio/input.js';
export type { LatencyFigures, LiveLatency } from './audio/latency.js';
export type { PcmBlock, Sound, SoundContext, SoundInfo } from './audio/pcm.js';
export type { Clock, Timer } from './base/clock.js';
export type { Listenable } from './base/emitter.js';
export { BridgeError, ERRORS, type ErrorCode, type ErrorEntry, type ErrorKind } from './base/errors.js';
export type { Logger } from './base/logger.js';
export type { ServiceLimits } from './service/limits.js';
export type { Service, ServiceOptions } from './service/service.js';
export { gatedSound, type GatedOptions } from './source/gated.js';
export { microphoneSound, type MicrophoneOptions, type MicrophoneSound } from './source/microphone.js';
export type { Cue } from './speech/cues.js';
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
  SpokenSentence,
} from './speech/speech.js';
export type { SynthVoices } from './narration/synth-answerer.js';
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
export type { EngineSettings, FallbackVoice, VoiceChoice } from './tts/engine-pool.js';
export type { EngineChoice } from './tts/engines.js';
export type { TextPiece } from './tts/script.js';
export type { Tag, TagAction, TagTable, UnknownTags } from './tts/tags.js';
