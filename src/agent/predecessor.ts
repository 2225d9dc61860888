/** Another process that still speaks with an agent which is on its way here. */
export interface Predecessor {
  interrupt(): void;
  pause(): void;
  resume(): void;
  send(line: string): void;
}
