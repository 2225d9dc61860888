import type { Clock } from '../base/clock.js';
import { BridgeError } from '../base/errors.js';
import type { AgentEvents } from './agent-events.js';
import { answerOf } from './messages.js';
import type { AgentMessage } from './wire.js';

/** The parts of an agent that a request uses. */
interface RequestedAgent {
  readonly name: string;
  on<Name extends 'message' | 'lost'>(
    event: Name,
    listener: (payload: AgentEvents[Name]) => void,
  ): () => void;
  send(line: string, options: { signal?: AbortSignal | undefined }): Promise<void>;
}

/** Sends a command and waits for its answer; see `Agent.request`. */
export async function request(
  agent: RequestedAgent,
  clock: Clock,
  line: string,
  options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined },
): Promise<AgentMessage> {
  const { timeoutMs = 5000, signal } = options;
  const answers = answerOf(line) ?? ((message: AgentMessage) => message.text === line);
  let forget = (): void => undefined;
  const answer = new Promise<AgentMessage>((resolve, reject) => {
    const timer = clock.after(timeoutMs, () =>
      reject(
        new BridgeError('TIMEOUT', `Agent ${agent.name} has not answered ${line} within ${timeoutMs} ms.`),
      ),
    );
    const onAbort = (): void => reject(signal?.reason as Error);
    const offMessage = agent.on('message', (message) => {
      if (answers(message)) resolve(message);
    });
    const offLost = agent.on('lost', reject);
    signal?.addEventListener('abort', onAbort, { once: true });
    forget = () => {
      timer.cancel();
      offMessage();
      offLost();
      signal?.removeEventListener('abort', onAbort);
    };
  });
  // It may reject while sending is still awaited.
  answer.catch(() => undefined);
  try {
    signal?.throwIfAborted();
    await agent.send(line, { signal });
    return await answer;
  } finally {
    forget();
  }
}
