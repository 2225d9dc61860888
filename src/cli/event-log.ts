import type { Agent } from '../agent/agent.js';
import type { Logger } from '../base/logger.js';
import type { BridgeHandle } from '../bridge.js';
import { speechEndJson } from '../service/schemas.js';
import { endLine } from './speech-lines.js';
import { printable } from './terminal.js';

/** Logs the events of a bridge, one line each. */
export function logEvents(bridge: BridgeHandle, logger: Logger): void {
  const watch = (agent: Agent): void => {
    const { name } = agent;
    const log = logger.child({ agent: name });
    agent.on('connected', ({ remote }) => log.info({ remote }, `${name} connected from ${remote}`));
    agent.on('ready', ({ model, afterMs }) =>
      log.info(
        { model, afterMs },
        `${name}: ready after ${Math.round(afterMs)} ms, model ${printable(model)}`,
      ),
    );
    agent.on('not-ready', (error) =>
      log.warn({ code: error.code }, `${name}: ${error.message} ${error.advice}`),
    );
    agent.on('lost', (error) => log.info({ code: error.code }, `${name} disconnected: ${error.message}`));
    agent.on('stalled', (stalled) => {
      if (!stalled) log.info({}, `${name}: reads again`);
    });
    agent.on('speech', (speech) => {
      const told = { speech: speech.id };
      speech.on('waiting', (message) => log.info(told, `${name}: ${printable(speech.label)}: ${message}`));
      speech.on('state', (state) => {
        if (state === 'speaking') log.info(told, `${name}: speaks ${printable(speech.label)}`);
        if (state === 'paused') log.info(told, `${name}: pauses ${printable(speech.label)}`);
      });
      speech.on('warning', (message) => log.warn(told, `${name}: ${printable(message)}`));
      speech.on('ended', (end) => {
        const { how, heardMs, error } = end;
        const reason = error && how !== 'stopped' ? ` ${printable(error.message)}` : '';
        log.info(
          { ...told, how, heardMs, ...(error && { code: error.code }) },
          `${name}: ${printable(speech.label)} ${endLine(speechEndJson(end))}.${reason}`,
        );
      });
    });
  };
  bridge.agents().forEach(watch);
  bridge.on('agent', watch);
}
