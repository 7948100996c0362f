const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const BAR_CELLS = 24;
/** Without a terminal a step that takes long says so this often. */
const PLAIN_EVERY_MS = 5_000;

/**
 * @typedef {object} Step one thing that takes a while; at most one is under way at a time
 * @property {(detail: string) => void} update
 * @property {(done: number, total: number, detail?: string) => void} progress
 * @property {(detail?: string) => void} done
 * @property {(detail?: string) => void} fail
 */

/**
 * @typedef {object} Paint
 * @property {(text: string) => string} bold
 * @property {(text: string) => string} dim
 * @property {(text: string) => string} green
 * @property {(text: string) => string} red
 * @property {(text: string) => string} yellow
 * @property {(text: string) => string} cyan
 */

/**
 * @typedef {object} Terminal
 * @property {(text?: string) => void} line prints a line, above the step that is under way
 * @property {(text: string) => void} error prints a line to the error stream
 * @property {(label: string) => Step} step
 * @property {Paint} paint
 * @property {() => void} close ends an unfinished step and leaves the cursor visible
 */

const ignore = () => undefined;

/**
 * Progress for people: bars, spinners and colour on a terminal, plain lines elsewhere. Colour
 * respects NO_COLOR (no-color.org). A stream that breaks, because its terminal went away, is ignored.
 *
 * @param {{ stream?: NodeJS.WriteStream, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Terminal}
 */
export function createTerminal({ stream = process.stdout, env = process.env } = {}) {
  for (const each of [stream, process.stderr]) {
    if (!each.listeners('error').includes(ignore)) each.on('error', ignore);
  }
  const live = stream.isTTY === true && env.TERM !== 'dumb' && !env.CI;
  const paint = createPaint(stream.isTTY === true && env.TERM !== 'dumb' && !env.NO_COLOR);
  const screen = live ? createLiveScreen(stream, paint) : createPlainScreen(stream, paint);
  const error = (/** @type {string} */ text) => {
    screen.close();
    process.stderr.write(`${text}\n`);
  };
  return { ...screen, error, paint };
}

/** @param {boolean} coloured @returns {Paint} */
function createPaint(coloured) {
  const code = (/** @type {number} */ open, /** @type {number} */ close) =>
    coloured
      ? (/** @type {string} */ text) => `\u001b[${open}m${text}\u001b[${close}m`
      : (/** @type {string} */ text) => text;
  return {
    bold: code(1, 22),
    dim: code(2, 22),
    green: code(32, 39),
    red: code(31, 39),
    yellow: code(33, 39),
    cyan: code(36, 39),
  };
}

/** @param {number} sinceMs */
function elapsed(sinceMs) {
  const seconds = (Date.now() - sinceMs) / 1000;
  return seconds < 0.1 ? '' : `${seconds.toFixed(1)} s`;
}

/** @param {string | undefined} detail @param {string} time */
function tail(detail, time) {
  const words = [detail, time].filter((word) => word !== undefined && word !== '');
  return words.length === 0 ? '' : ` ${words.join(', ')}`;
}

/** @param {number} done @param {number} total */
function bar(done, total) {
  const filled = total === 0 ? 0 : Math.round((BAR_CELLS * Math.min(done, total)) / total);
  return '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled);
}

/** @param {NodeJS.WriteStream} stream @param {Paint} paint */
function createLiveScreen(stream, paint) {
  /** @type {{ label: string, detail: string, bar: string, since: number } | undefined} */
  let active;
  let frame = 0;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const clear = () => stream.write('\r\u001b[2K');
  const draw = () => {
    if (active === undefined) return;
    const parts = [FRAMES[frame % FRAMES.length], active.label, active.bar, active.detail];
    const time = elapsed(active.since);
    const text = [...parts, time].filter((part) => part !== '').join(' ');
    clear();
    stream.write(text.slice(0, Math.max(20, (stream.columns || 80) - 1)));
  };
  const line = (text = '') => {
    if (active !== undefined) clear();
    stream.write(`${text}\n`);
    draw();
  };
  const end = (/** @type {string} */ mark, /** @type {string | undefined} */ detail) => {
    if (active === undefined) return;
    const { label, since } = active;
    close();
    line(`${mark} ${label}${paint.dim(tail(detail, elapsed(since)))}`);
  };
  const close = () => {
    if (active === undefined) return;
    clearInterval(timer);
    active = undefined;
    clear();
    stream.write('\u001b[?25h');
  };
  const step = (/** @type {string} */ label) => {
    close();
    const mine = { label, detail: '', bar: '', since: Date.now() };
    active = mine;
    stream.write('\u001b[?25l');
    timer = setInterval(() => {
      frame += 1;
      draw();
    }, FRAME_MS);
    timer.unref();
    draw();
    return {
      update: (/** @type {string} */ detail) => {
        mine.detail = detail;
      },
      progress: (/** @type {number} */ done, /** @type {number} */ total, detail = '') => {
        mine.bar = bar(done, total);
        mine.detail = `${done} of ${total}${detail === '' ? '' : ` ${detail}`}`;
      },
      done: (/** @type {string} */ detail = '') => end(paint.green('✔'), detail),
      fail: (/** @type {string} */ detail = '') => end(paint.red('✖'), detail),
    };
  };
  return { line, step, close };
}

/** @param {NodeJS.WriteStream} stream @param {Paint} paint */
function createPlainScreen(stream, paint) {
  const line = (text = '') => {
    stream.write(`${text}\n`);
  };
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const close = () => clearInterval(timer);
  const step = (/** @type {string} */ label) => {
    close();
    const since = Date.now();
    let detail = '';
    const end = (/** @type {string} */ word, /** @type {string} */ last) => {
      close();
      line(`${label}: ${word}${tail(last, elapsed(since))}`);
    };
    line(`${label} …`);
    timer = setInterval(() => line(`${label} …${tail(detail, elapsed(since))}`), PLAIN_EVERY_MS);
    timer.unref();
    return {
      update: (/** @type {string} */ text) => {
        detail = text;
      },
      progress: (/** @type {number} */ done, /** @type {number} */ total, text = '') => {
        detail = `${done} of ${total}${text === '' ? '' : ` ${text}`}`;
      },
      done: (/** @type {string} */ last = '') => end(paint.green('done'), last),
      fail: (/** @type {string} */ last = '') => end(paint.red('failed'), last),
    };
  };
  return { line, step, close };
}
