// Times as people read them: with their zone, and how far away they are.
import { words } from './words';

const MOMENT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short',
});
const TODAY = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' });
const OTHER_DAY = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short',
});

/** To the second, with the day. */
export function whole(at: string): string {
  return MOMENT.format(new Date(at));
}

/** As short as it can be told today. */
export function short(at: string, now: number): string {
  const date = new Date(at);
  const today = new Date(now).toDateString() === date.toDateString();
  return (today ? TODAY : OTHER_DAY).format(date);
}

const UNITS = [['d', 86_400], ['h', 3600], ['m', 60], ['s', 1]] as const;

/** A length of time in its two largest parts: `1h 05m`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const first = UNITS.findIndex(([, size]) => whole >= size);
  if (first === -1) return '0s';
  const [unit, size] = UNITS[first]!;
  const next = UNITS[first + 1];
  const head = `${Math.floor(whole / size)}${unit}`;
  const rest = next ? Math.floor((whole % size) / next[1]) : 0;
  return next && rest > 0 ? `${head} ${String(rest).padStart(2, '0')}${next[0]}` : head;
}

/** A place in a recording, in milliseconds from its beginning: `1:02:03`. */
export function clockwise(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, n) => (n === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** How far away a moment is. */
export function relative(at: string, now: number): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  if (Math.abs(seconds) < 5) return words.time.now;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  const text = `${Math.floor(Math.abs(seconds) / size)} ${words.time.units[unit]}`;
  return seconds > 0 ? words.time.in(text) : words.time.ago(text);
}
