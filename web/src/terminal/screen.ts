// A terminal on a page: one that is typed into, and the one that recordings are played on. Loaded when it is needed.
//
// What runs in it is not trusted. Of what a program can ask a terminal for, it is given letters, colours and a cursor:
// nothing of the page's title, of links, of the clipboard, of the window, and nothing that is kept.
import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { sheets } from './sheet';

export interface Screen {
  terminal: Terminal;
  /** As large as there is room for. */
  fit(): { columns: number; rows: number };
  gone(): void;
}

const SCROLLBACK = 5000;
/** Titles, icons, colours, links, clipboard, notices, files: whatever comes as an operating system command. */
const COMMANDS = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 50, 51, 52, 104, 105, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 133, 633, 777, 1337];

/** Questions that a terminal answers by typing: what it is, how it is, where its cursor stands, which modes are on. */
const QUESTIONS = [
  { final: 'c' }, { prefix: '>', final: 'c' }, { prefix: '=', final: 'c' }, { final: 'n' }, { prefix: '?', final: 'n' },
  { intermediates: '$', final: 'p' }, { prefix: '?', intermediates: '$', final: 'p' }, { prefix: '>', final: 'q' },
];
/** What a terminal types when it gets or loses the focus, if it was asked to say so. */
const FOCUS = ['\u001b[I', '\u001b[O'];

function theme(dark: boolean) {
  return dark
    ? { background: '#0f1314', foreground: '#e8eceb', cursor: '#7fd1c4', selectionBackground: '#2f5c56' }
    : { background: '#101516', foreground: '#f2f5f4', cursor: '#7fd1c4', selectionBackground: '#2f5c56' };
}

/**
 * `typed` has what is typed; without it nothing can be, and nothing that runs there gets an answer. `leave` is asked for by
 * the one key that a terminal does not keep to itself. Without `answers` only what a person types is typed: at a terminal
 * that is somebody else's, that one answers.
 */
export function screen(into: HTMLElement, typed?: (text: string) => void, leave?: () => void, answers = true): Screen {
  sheets();
  const terminal = new Terminal({
    theme: theme(matchMedia('(prefers-color-scheme: dark)').matches),
    fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    fontSize: 14,
    scrollback: SCROLLBACK,
    minimumContrastRatio: 4.5,
    screenReaderMode: typed !== undefined,
    disableStdin: typed === undefined,
    convertEol: false,
    linkHandler: { activate: () => undefined },
    windowOptions: {},
    logLevel: 'off',
  });
  for (const command of COMMANDS) terminal.parser.registerOscHandler(command, () => true);
  // Questions about what the terminal is set to, in words of the one who asks.
  for (const final of ['q', 'p', '|']) terminal.parser.registerDcsHandler({ intermediates: '$', final }, () => true);
  terminal.parser.registerCsiHandler({ final: 't' }, () => true);
  if (!answers) for (const question of QUESTIONS) terminal.parser.registerCsiHandler(question, () => true);
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== 'Escape' || !event.shiftKey) return true;
    if (event.type === 'keydown') leave?.();
    return false;
  });
  const fitting = new FitAddon();
  terminal.loadAddon(fitting);
  terminal.open(into);
  if (typed) {
    terminal.onData((text) => (answers || !FOCUS.includes(text)) && typed(text));
  } else if (terminal.textarea) {
    terminal.textarea.tabIndex = -1;
    terminal.textarea.disabled = true;
  }
  return {
    terminal,
    fit() {
      fitting.fit();
      return { columns: terminal.cols, rows: terminal.rows };
    },
    gone: () => terminal.dispose(),
  };
}
