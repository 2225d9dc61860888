import { clockText } from './dom.js';
import { problemLine, t } from './i18n.js';

/**
 * @typedef {object} LogLine
 * @property {number} at wall clock, ms
 * @property {string} agent name of the agent; empty for all
 * @property {'message' | 'sent' | 'speech' | 'agent'} kind
 * @property {'plain' | 'good' | 'warn' | 'bad'} level
 * @property {string} text
 */

/**
 * Returns an event as a line of the log; undefined for events that are too frequent to read.
 * @param {any} event
 * @param {(agent: string, speech: string) => string} labelOf returns the label of a speech
 * @returns {LogLine | undefined}
 */
export function lineOf(event, labelOf) {
  const said = textOf(event, labelOf);
  if (!said) return undefined;
  const [kind, level, text] = said;
  return { at: Date.parse(event.time) || Date.now(), agent: event.agent ?? '', kind, level, text };
}

/**
 * @param {any} event
 * @param {(agent: string, speech: string) => string} labelOf
 * @returns {[LogLine['kind'], LogLine['level'], string] | undefined}
 */
function textOf(event, labelOf) {
  switch (event.type) {
    case 'message':
      return ['message', 'plain', event.truncated ? event.text + t('logTruncated') : event.text];
    case 'connected':
      return ['agent', 'good', t('logConnected', event)];
    case 'ready':
      return ['agent', 'good', t('logReady', { ms: Math.round(event.afterMs), model: event.model })];
    case 'not-ready':
    case 'lost':
      return ['agent', 'bad', problemLine(event.error)];
    case 'stalled':
      return ['agent', event.stalled ? 'bad' : 'good', t(event.stalled ? 'logStalled' : 'logReading')];
    case 'relay':
      return [
        'agent',
        event.state === 'refused' ? 'warn' : 'plain',
        t(
          event.state === 'refused'
            ? 'logRelayRefused'
            : event.state === 'left'
              ? 'logRelayLeft'
              : 'logRelay',
          event,
        ),
      ];
    case 'gap': {
      const key = event.cause === 'source' ? 'logGapSource' : 'logGapStall';
      return ['agent', 'warn', t(key, { ms: Math.round(event.lengthMs) })];
    }
    case 'accepted':
      return ['speech', 'plain', t('logAccepted', event)];
    case 'info':
      return ['speech', 'plain', formatText(event, labelOf(event.agent, event.speech))];
    case 'state':
      return ['speech', 'plain', t('logState', { label: event.label, state: t(`state_${event.state}`) })];
    case 'waiting':
      return ['speech', 'plain', t('logWaiting', { label: labelOf(event.agent, event.speech), ...event })];
    case 'warning':
      return ['speech', 'warn', t('logWarning', { label: labelOf(event.agent, event.speech), ...event })];
    case 'cue':
      return ['speech', 'plain', t('logCue', { at: clockText(event.atMs), send: event.send })];
    case 'ended':
      return ['speech', ENDED[event.how] ?? 'plain', endText(event)];
    case 'missed':
      return event.count === null
        ? ['agent', 'warn', t('logMissedSome')]
        : ['agent', 'warn', t('logMissed', { count: event.count })];
    case 'closing':
      return ['agent', 'bad', t('logClosing')];
    case 'snapshot':
      return ['agent', 'plain', t('logLive')];
    default:
      return undefined;
  }
}

/** @type {Record<string, LogLine['level']>} */
const ENDED = { completed: 'good', stopped: 'plain', failed: 'bad', 'avatar-lost': 'bad' };

/**
 * @param {any} event
 * @param {string} label
 */
function formatText({ format, sampleRateHz, channels, durationMs }, label) {
  const length = durationMs === null ? '' : `, ${clockText(durationMs)}`;
  return t('logFormat', { label, format, rate: sampleRateHz, channels, length });
}

/** @param {any} event */
function endText({ how, label, heardMs, gaps, droppedMs, error }) {
  let text = t(`logEnded_${how}`, { label, heard: clockText(heardMs) });
  if (gaps.count > 0) text += t('logGaps', { count: gaps.count, ms: Math.round(gaps.totalMs) });
  if (droppedMs > 0) text += t('logDropped', { ms: Math.round(droppedMs) });
  return how === 'failed' && error ? `${text}: ${problemLine(error)}` : text;
}
