// Speaks through an avatar from a browser, with the microphone or a file. See stream.html.

const element = (id) => document.getElementById(id);
const log = (message) => element('log').prepend(`${JSON.stringify(message)}\n`);

/** Opens the stream of an agent. A browser cannot send an Authorization header, so the token goes in the subprotocols. */
function openStream(agent = 'default') {
  const token = element('token').value;
  const socket = new WebSocket(
    `${element('url').value}/api/agents/${agent}/stream`,
    token === '' ? [] : ['mmdagent-bridge', `bearer.${token}`],
  );
  socket.paused = false;
  socket.say = (message) => socket.send(JSON.stringify(message));
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === 'pause' || message.type === 'resume') socket.paused = message.type === 'pause';
    if (message.type !== 'position') log(message);
  };
  socket.onclose = ({ code, reason }) => log({ type: 'closed', code, reason });
  return new Promise((resolve) => (socket.onopen = () => resolve(socket)));
}

/** A worklet that hands on what the microphone gives, as 16-bit samples. */
const WORKLET = `registerProcessor('samples', class extends AudioWorkletProcessor {
  process([[channel]]) {
    if (channel) this.port.postMessage(Int16Array.from(channel, (x) => Math.max(-1, Math.min(1, x)) * 32767));
    return true;
  }
});`;

let stop = () => undefined;
element('stop').onclick = () => stop();

element('microphone').onclick = async () => {
  const socket = await openStream();
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  // The browser brings the sound to 16 kHz itself.
  const context = new AudioContext({ sampleRate: 16000 });
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLET], { type: 'text/javascript' })));
  const samples = new AudioWorkletNode(context, 'samples');
  socket.say({ type: 'start', format: 's16le:16000:1', live: true, label: 'my microphone' });
  samples.port.onmessage = ({ data }) => socket.send(data);
  context.createMediaStreamSource(microphone).connect(samples);
  stop = () => {
    microphone.getTracks().forEach((track) => track.stop());
    void context.close();
    socket.say({ type: 'end' });
  };
};

element('file').onchange = async ({ target }) => {
  const [file] = target.files;
  const socket = await openStream();
  socket.say({ type: 'start', label: file.name });
  stop = () => socket.say({ type: 'interrupt' });
  for (let at = 0; at < file.size; at += 32768) {
    while (socket.paused) await new Promise((resolve) => setTimeout(resolve, 20));
    socket.send(await file.slice(at, at + 32768).arrayBuffer());
  }
  socket.say({ type: 'end' });
};
