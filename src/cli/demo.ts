import type { AddCommand } from './command.js';

/** `demo`: a complete demonstration without MMDAgent-EX. */
export const addDemo: AddCommand = (program, run) => {
  const command = program
    .command('demo')
    .summary('show the whole way once, with a simulated avatar')
    .description(
      'Starts a service and a simulated avatar, speaks a sample with two timed commands, and compares what the avatar heard with the file, sample by sample.',
    );
  command.action(() =>
    run(command, async (context) => {
      const { demo } = await import('./demo-process.js');
      return demo(context);
    }),
  );
};
