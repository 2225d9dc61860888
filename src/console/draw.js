/**
 * Colours of the page, from the style sheet for the current colour scheme. Read again when the scheme changes.
 * @type {Record<string, string>}
 */
export const colours = {};

const NAMES = ['ink', 'muted', 'line', 'accent', 'accent-soft', 'good', 'warn', 'bad'];

/** Reads the colours, and calls `listener` after each change. */
export function followColours(/** @type {() => void} */ listener) {
  const read = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of NAMES) colours[name] = style.getPropertyValue(`--${name}`).trim();
    listener();
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', read);
  read();
}

/**
 * Sizes a canvas to the screen's resolution, and clears it.
 * @param {HTMLCanvasElement} canvas
 * @returns {{ pen: CanvasRenderingContext2D, width: number, height: number } | undefined} sizes in CSS pixels
 */
export function wipe(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const pen = canvas.getContext('2d');
  if (!pen || width === 0 || height === 0) return undefined;
  const scale = Math.min(3, devicePixelRatio || 1);
  const [fineWidth, fineHeight] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== fineWidth || canvas.height !== fineHeight) {
    canvas.width = fineWidth;
    canvas.height = fineHeight;
  }
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** @typedef {import('./outline.js').Outline} Outline */

const BAR = 2;
const BAR_EVERY = 3;

/**
 * Draws the outline of a sound: the part already heard, the part sent, and the rest where it is known.
 * @param {HTMLCanvasElement} canvas
 * @param {{ outline: Outline, ahead: Outline | undefined } | undefined} speech
 * @param {{ fromMs: number, toMs: number, positionMs: number }} view
 */
export function drawWave(canvas, speech, { fromMs, toMs, positionMs }) {
  const area = wipe(canvas);
  if (!area) return;
  const { pen, width, height } = area;
  const middle = height / 2;
  const msPerPixel = (toMs - fromMs) / width;
  for (let x = 0; x + BAR <= width; x += BAR_EVERY) {
    const [startMs, endMs] = [fromMs + x * msPerPixel, fromMs + (x + BAR_EVERY) * msPerPixel];
    const sent = speech !== undefined && startMs < speech.outline.endMs && startMs >= 0;
    const known = sent ? speech.outline : speech?.ahead;
    const peak = startMs >= 0 ? (known?.loudest(startMs, endMs) ?? 0) : 0;
    // The square root makes quiet speech visible, as in audio recorders.
    const half = Math.sqrt(peak / 255) * (middle - 3);
    pen.fillStyle = /** @type {string} */ (
      !sent ? colours['line'] : startMs < positionMs ? colours['accent'] : colours['accent-soft']
    );
    pen.fillRect(x, middle - Math.max(0.75, half), BAR, Math.max(1.5, half * 2));
  }
  if (speech === undefined) return;
  const at = (positionMs - fromMs) / msPerPixel;
  if (at < 0 || at > width) return;
  pen.fillStyle = /** @type {string} */ (colours['ink']);
  pen.fillRect(Math.min(width - 2, Math.max(0, at - 1)), 0, 2, height);
}

/**
 * Draws the last minute of several values as lines in one plot.
 * @param {HTMLCanvasElement} canvas
 * @param {{ values: Iterable<number>, count: number, colour: string, fill?: boolean }[]} series NaN is a gap
 * @param {{ capacity: number, low: number, high: number }} frame
 */
export function drawPlot(canvas, series, { capacity, low, high }) {
  const area = wipe(canvas);
  if (!area) return;
  const { pen, width, height } = area;
  const step = width / (capacity - 1);
  const y = (/** @type {number} */ value) =>
    height - 1.5 - ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (height - 3);
  pen.fillStyle = /** @type {string} */ (colours['line']);
  pen.fillRect(0, height - 1, width, 1);
  for (const { values, count, colour, fill } of series) {
    pen.strokeStyle = pen.fillStyle = /** @type {string} */ (colours[colour]);
    pen.lineWidth = 1.5;
    pen.lineJoin = 'round';
    let x = width - (count - 1) * step;
    let startX = x;
    let drawing = false;
    pen.beginPath();
    const close = () => {
      if (!drawing) return;
      pen.stroke();
      if (fill) {
        pen.lineTo(x - step, height - 1);
        pen.lineTo(startX, height - 1);
        pen.globalAlpha = 0.14;
        pen.fill();
        pen.globalAlpha = 1;
      }
      pen.beginPath();
      drawing = false;
    };
    for (const value of values) {
      if (Number.isNaN(value)) close();
      else if (drawing) pen.lineTo(x, y(value));
      else {
        startX = x;
        pen.moveTo(x, y(value));
        drawing = true;
      }
      x += step;
    }
    close();
  }
}

/**
 * Draws points in time of the last minute as bars.
 * @param {HTMLCanvasElement} canvas
 * @param {{ ageMs: number, value: number }[]} bars
 * @param {{ spanMs: number, high: number }} frame
 */
export function drawBars(canvas, bars, { spanMs, high }) {
  const area = wipe(canvas);
  if (!area) return;
  const { pen, width, height } = area;
  pen.fillStyle = /** @type {string} */ (colours['line']);
  pen.fillRect(0, height - 1, width, 1);
  pen.fillStyle = /** @type {string} */ (colours['warn']);
  for (const { ageMs, value } of bars) {
    const tall = Math.max(3, (Math.min(high, value) / high) * (height - 2));
    pen.fillRect(width - (ageMs / spanMs) * width - 3, height - tall, 3, tall);
  }
}
