// A recording as it is played: what was shown and when, with what is known of it beside. Read line by line, as it comes.
import type { Schemas } from '../api/client';

export type Line = Schemas['EventLine'];

/** Something that the terminal of a channel shows. */
export interface Frame {
  /** Milliseconds from the beginning. */
  at: number;
  /** Where that is once pauses are short. */
  short: number;
  data?: string | Uint8Array;
  size?: [number, number];
}

/** Something that happened, in words. */
export interface Happening {
  at: number;
  line: Line;
}

/** A channel with a terminal, a program, or both. */
export interface Channel {
  number: number;
  frames: Frame[];
  /** How it is told from others. */
  name: string;
  terminal: boolean;
  /** What was shown there, as text, for whoever looks for something in it. */
  text: { at: number; text: string }[];
}

/** No pause is longer than this, where pauses are short. */
const PAUSE = 1500;
/** What one page holds of a recording, in characters. */
export const MOST = 48 * 1024 * 1024;
const SHOWN = new Set(['target', 'target_error', 'wane']);
/** What is told beside the terminal; the rest is what the terminal itself shows, or says nothing to a person. */
const TOLD = new Set([
  'command', 'subsystem', 'shell', 'typed', 'done', 'file', 'tried', 'transferred', 'refused', 'allowed', 'opened',
  'request', 'answer', 'finding', 'exited', 'signal', 'unclear', 'gap', 'withheld', 'damaged', 'over',
]);

/** Letters, without what moves a cursor or colours them. */
export function plain(text: string): string {
  return text
    // eslint-disable-next-line no-control-regex
    .replaceAll(/\u001b(?:\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])/g, '')
    .replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

export class Tape {
  channels = new Map<number, Channel>();
  happened: Happening[] = [];
  began = 0;
  /** How long it is, in both ways of counting. */
  length = 0;
  short = 0;
  /** How it ended, once it did. */
  ended: string | undefined;
  full = false;
  #held = 0;
  #last = 0;

  /** Takes one line of it. */
  take(line: Line) {
    if (line.what === 'began') {
      this.began = Date.parse(line.at ?? '');
      return;
    }
    if (line.what === 'end') {
      this.ended = line.text ?? 'cut';
      return;
    }
    const at = line.at ? Math.max(this.#last, Date.parse(line.at) - this.began) : this.#last;
    this.short += Math.min(at - this.#last, PAUSE);
    this.#last = at;
    this.length = at;
    if (line.what === 'data') this.#data(line, at);
    else if (line.size && line.channel !== undefined && line.channel !== null) {
      const channel = this.#channel(line.channel);
      channel.terminal ||= line.what === 'terminal';
      channel.frames.push({ at, short: this.short, size: line.size as [number, number] });
    }
    if (TOLD.has(line.what) && !(line.what === 'opened' && line.text === 'session')) this.happened.push({ at, line });
    if ((line.what === 'command' || line.what === 'subsystem') && line.channel !== undefined && line.channel !== null) {
      this.#channel(line.channel).name = line.text ?? '';
    }
  }

  #channel(number: number): Channel {
    let channel = this.channels.get(number);
    if (!channel) {
      channel = { number, frames: [], name: '', terminal: false, text: [] };
      this.channels.set(number, channel);
    }
    return channel;
  }

  #data(line: Line, at: number) {
    if (!SHOWN.has(line.from ?? '') || line.channel === undefined || line.channel === null) return;
    const data = line.text ?? (line.base64 ? Uint8Array.from(atob(line.base64), (c) => c.charCodeAt(0)) : '');
    this.#held += data.length;
    this.full ||= this.#held > MOST;
    if (this.full) return;
    const channel = this.#channel(line.channel);
    channel.frames.push({ at, short: this.short, data });
    const said = typeof data === 'string' ? plain(data) : '';
    if (said.trim()) channel.text.push({ at, text: said });
  }

  /** The one that is worth looking at first: of those with a terminal the busiest, else the busiest. */
  first(): Channel | undefined {
    const rank = (one: Channel) => (one.terminal ? 1e9 : 0) + one.frames.length;
    return [...this.channels.values()].sort((a, b) => rank(b) - rank(a))[0];
  }

  /** Where a moment is, in the way of counting that is wanted. */
  position(at: number, short: boolean): number {
    if (!short) return at;
    const moments = this.happened.length > 0 || this.channels.size > 0;
    if (!moments) return 0;
    let best = { at: 0, short: 0 };
    for (const channel of this.channels.values()) {
      const frame = lastUntil(channel.frames, (one) => one.at, at);
      if (frame && frame.at >= best.at) best = frame;
    }
    return Math.min(this.short, best.short + Math.min(at - best.at, PAUSE));
  }
}

/** The last of some in order that is not beyond a point. */
export function lastUntil<T>(all: T[], of: (one: T) => number, until: number): T | undefined {
  return all[countUntil(all, of, until) - 1];
}

/** How many of some in order are not beyond a point. */
export function countUntil<T>(all: T[], of: (one: T) => number, until: number): number {
  let [low, high] = [0, all.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(all[middle]!) <= until) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Hit {
  at: number;
  what: string;
  text: string;
}

const MOST_HITS = 200;
const AROUND = 60;

/** Where a text stands: in what was run and done first, then in what was shown. */
export function find(tape: Tape, wanted: string): Hit[] {
  const low = wanted.trim().toLowerCase();
  if (low.length < 2) return [];
  const hits: Hit[] = [];
  const around = (text: string, from: number) => text.slice(Math.max(0, from - AROUND), from + low.length + AROUND).trim();
  for (const { at, line } of tape.happened) {
    const said = [line.text, line.more].filter(Boolean).join(' ');
    const from = said.toLowerCase().indexOf(low);
    if (from >= 0) hits.push({ at, what: line.what, text: around(said, from) });
    if (hits.length >= MOST_HITS) return hits;
  }
  for (const channel of tape.channels.values()) {
    for (const { at, text } of channel.text) {
      const from = text.toLowerCase().indexOf(low);
      if (from >= 0) hits.push({ at, what: 'output', text: around(text, from) });
      if (hits.length >= MOST_HITS) return hits;
    }
  }
  return hits;
}
